// `tickwell status`: where the data is, whether its server runs, and how complete it is.
import type { Command } from "commander";
import { systemClock } from "../../core/clock.js";
import { formatDuration } from "../../core/duration.js";
import { formatMinute, formatTime } from "../../core/time.js";
import { maskText } from "../../core/mask-text.js";
import type { CommandContext, GlobalOptions } from "../command-context.js";
import { formatLiveStates, liveJson, readLiveReport } from "../live-report.js";
import { loadSettings, withStore } from "../settings.js";
import { formatCount, formatPercent, formatTable } from "../table.js";

export function addStatusCommand(program: Command, context: CommandContext): void {
  program
    .command("status")
    .description(
      "where the data is (with a connection string for psql, Grafana, pandas), and how complete it is",
    )
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const { instance } = await loadSettings(options);
      await withStore(context, options, { url: instance.storage.url, role: "reader" }, async (store) => {
        const [states, quarantine, live] = await Promise.all([
          store.seriesStates({}),
          store.quarantineCounts(),
          readLiveReport(store, {}),
        ]);
        // The embedded database's password is the user's own, made here and needed to connect; another's is not repeated.
        const connection =
          instance.storage.url === "embedded" ? store.connectionString : maskText(store.connectionString);
        if (options.json) {
          context.stdout(
            `${JSON.stringify({
              connection_string: connection,
              server_version: store.serverVersion,
              series: states.map((state) => ({
                market: state.market,
                timeframe: state.timeframe,
                stored_candles: state.coveredCandles,
                void_candles: state.voidCandles,
                open_gaps: state.gaps,
                missing_candles: state.expectedCandles - state.coveredCandles - state.voidCandles,
                complete_to: state.completeToMs === undefined ? null : formatTime(state.completeToMs),
              })),
              live: liveJson(live),
              quarantine,
            })}\n`,
          );
          return;
        }
        context.stdout(`Database: ${connection} (PostgreSQL ${store.serverVersion})\n`);
        if (instance.storage.url === "embedded")
          context.stdout("It runs while tickwell runs; `psql` and others can connect then.\n");
        const nowMs = systemClock.nowMs();
        const rows = states.map((state) => {
          const proven = state.coveredCandles + state.voidCandles;
          return [
            state.market,
            state.timeframe,
            formatCount(state.coveredCandles),
            formatCount(state.expectedCandles - proven),
            formatCount(state.gaps),
            formatPercent(proven, state.expectedCandles),
            state.completeToMs === undefined
              ? "–"
              : `${formatMinute(state.completeToMs)} (${formatDuration(nowMs - state.completeToMs)} ago)`,
          ];
        });
        const columns = [
          { title: "market" },
          { title: "timeframe" },
          { title: "candles", align: "right" },
          { title: "missing", align: "right" },
          { title: "open gaps", align: "right" },
          { title: "proven", align: "right" },
          { title: "complete to (UTC)" },
        ] as const;
        context.stdout(
          states.length > 0
            ? `\n${formatTable(columns, rows)}`
            : live.length > 0
              ? ""
              : "Nothing has been collected yet.\n",
        );
        if (live.length > 0) context.stdout(`\n${formatLiveStates(live)}`);
        for (const each of quarantine)
          context.stdout(
            `quarantine: ${each.market} ${each.timeframe} ${each.rule}: ${formatCount(each.records)}\n`,
          );
      });
    });
}
