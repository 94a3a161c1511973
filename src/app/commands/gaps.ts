// `tickwell gaps`: what is missing and why, what the exchange itself does not have, and how far each series is complete.
import type { Command } from "commander";
import { systemClock } from "../../core/clock.js";
import { formatDuration } from "../../core/duration.js";
import { formatMinute, formatSecond, formatTime } from "../../core/time.js";
import type { Gap, SeriesFilter, SeriesState, Store, Void } from "../../store/store.js";
import { readRange } from "../arguments.js";
import type { CommandContext, GlobalOptions } from "../command-context.js";
import { formatLiveGaps, formatLiveStates, liveJson, readLiveReport } from "../live-report.js";
import { LIVE_EXPORTS, type LiveExport } from "./export-live.js";
import { loadSettings, withStore } from "../settings.js";
import { readStoredFilter } from "../stored-series.js";
import { formatCount, formatPercent, formatTable } from "../table.js";

interface GapsOptions extends GlobalOptions {
  readonly market?: string;
  readonly timeframe?: string;
  readonly since?: string;
  readonly until?: string;
}

export function addGapsCommand(program: Command, context: CommandContext): void {
  program
    .command("gaps")
    .description("list gaps and voids, and how far each series is complete")
    .option("--market <market>", "only this market, such as binance:BTC/USDT")
    .option("--timeframe <timeframe>", "only this timeframe, such as 1m; or trades, or book")
    .option("--since <time>", "from this time on: a date, a time, epoch ms, or how long ago (30d)")
    .option("--until <time>", "up to this time")
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GapsOptions>();
      const { instance } = await loadSettings(options);
      const range = readRange(options, systemClock.nowMs());
      await withStore(context, options, { url: instance.storage.url, role: "reader" }, async (store) => {
        const { market, timeframe } = options;
        const data = LIVE_EXPORTS.find((known) => known === timeframe);
        const named = await readStoredFilter(store, {
          ...(market === undefined ? {} : { market }),
          ...(timeframe === undefined || data !== undefined ? {} : { timeframe }),
        });
        await printGaps(
          store,
          { ...named, ...(range ? { range } : {}) },
          { json: options.json, data },
          context,
        );
      });
    });
}

async function printGaps(
  store: Store,
  filter: SeriesFilter,
  options: { readonly json: boolean | undefined; readonly data: LiveExport | undefined },
  context: CommandContext,
): Promise<void> {
  const [gaps, voids, states, live] = await Promise.all([
    ...(options.data === undefined
      ? ([store.gaps(filter), store.voids(filter), store.seriesStates(filter)] as const)
      : ([[], [], []] as const)),
    readLiveReport(store, filter, options.data),
  ]);
  if (options.json) {
    context.stdout(
      `${JSON.stringify({ gaps: gaps.map(gapJson), voids: voids.map(voidJson), series: states.map(stateJson), live: liveJson(live) }, undefined, 2)}\n`,
    );
    return;
  }
  if (states.length === 0 && live.length === 0) {
    const stored = (await store.seriesStates({})).map((state) => `${state.market} ${state.timeframe}`);
    context.stdout(
      stored.length === 0
        ? "Nothing has been collected yet: try `tickwell start`, `tickwell backfill` or `tickwell demo`.\n"
        : `Nothing is collected there. What is: ${stored.slice(0, NAMES_MAX).join(", ")}${stored.length > NAMES_MAX ? ", …" : ""}.\n`,
    );
    return;
  }
  if (gaps.length > 0) context.stdout(`${formatGaps(gaps)}\n`);
  if (voids.length > 0) context.stdout(`${formatVoids(voids)}\n`);
  const missingLive = formatLiveGaps(live);
  if (missingLive !== "") context.stdout(missingLive);
  if (states.length > 0) context.stdout(formatStates(states));
  if (live.length > 0) context.stdout(`\n${formatLiveStates(live)}`);
}

function formatGaps(gaps: readonly Gap[]): string {
  const rows = gaps.map((gap) => [
    gap.market,
    gap.timeframe,
    formatMinute(gap.startMs),
    formatMinute(gap.endMs),
    formatCount(gap.candles),
    describeGap(gap),
  ]);
  return `Gaps: known to be missing\n${formatTable(RANGE_COLUMNS, rows)}`;
}

function formatVoids(voids: readonly Void[]): string {
  const rows = voids.map((each) => [
    each.market,
    each.timeframe,
    formatMinute(each.startMs),
    formatMinute(each.endMs),
    formatCount(each.candles),
    describeProof(each),
  ]);
  return `Voids: the exchange itself has nothing there\n${formatTable(RANGE_COLUMNS, rows)}`;
}

/** How often the exchange has said so. */
function describeProof({ proof }: Void): string {
  const { asked = [] } = proof as { asked?: readonly { atMs: number }[] };
  const last = asked.at(-1);
  return last === undefined ? "proven" : `asked ${asked.length} times, last ${formatSecond(last.atMs)}`;
}

const NAMES_MAX = 10;

const RANGE_COLUMNS = [
  { title: "market" },
  { title: "timeframe" },
  { title: "from (UTC)" },
  { title: "to, exclusive" },
  { title: "candles", align: "right" },
  { title: "what is known" },
] as const;

function formatStates(states: readonly SeriesState[]): string {
  const nowMs = systemClock.nowMs();
  return formatTable(
    [
      { title: "market" },
      { title: "timeframe" },
      { title: "from (UTC)" },
      { title: "expected", align: "right" },
      { title: "stored", align: "right" },
      { title: "void", align: "right" },
      { title: "missing", align: "right" },
      { title: "proven", align: "right" },
      { title: "complete to (UTC)" },
    ],
    states.map((state) => {
      const proven = state.coveredCandles + state.voidCandles;
      return [
        state.market,
        state.timeframe,
        formatStart(state),
        formatCount(state.expectedCandles),
        formatCount(state.coveredCandles),
        formatCount(state.voidCandles),
        formatCount(state.expectedCandles - proven),
        formatPercent(proven, state.expectedCandles),
        state.completeToMs === undefined
          ? "–"
          : `${formatMinute(state.completeToMs)} (${formatDuration(nowMs - state.completeToMs)} ago)`,
      ];
    }),
  );
}

/** Where the expected time begins, and that it lies in pieces: between them nothing was ever to be collected. */
function formatStart({ expected }: SeriesState): string {
  const [first] = expected;
  if (!first) return "–";
  return `${formatMinute(first.startMs)}${expected.length > 1 ? `, in ${expected.length} pieces` : ""}`;
}

/** One sentence on a gap: why it is there, and what happens next. */
function describeGap(gap: Gap): string {
  const asked = gap.asked === 0 ? "" : `, asked ${gap.asked === 1 ? "once" : `${gap.asked} times`}`;
  switch (gap.reason) {
    case undefined:
      return "not fetched yet";
    case "absent":
      return `the exchange did not have it${asked}`;
    case "rejected":
      return `the exchange sent broken rows (${gap.detail ?? ""})${asked}`;
    case "fetch_failed":
      return `the request failed${asked}`;
    case "not_collected":
      return "nothing was collecting";
  }
}

function gapJson(gap: Gap): object {
  return {
    market: gap.market,
    timeframe: gap.timeframe,
    start: formatTime(gap.startMs),
    end: formatTime(gap.endMs),
    candles: gap.candles,
    reason: gap.reason ?? "not_fetched",
    detail: gap.detail ?? null,
    asked: gap.asked,
    found_at: gap.foundMs === undefined ? null : formatTime(gap.foundMs),
    next_ask_at: gap.nextAskMs === undefined ? null : formatTime(gap.nextAskMs),
  };
}

function voidJson(each: Void): object {
  return {
    market: each.market,
    timeframe: each.timeframe,
    start: formatTime(each.startMs),
    end: formatTime(each.endMs),
    candles: each.candles,
    proven_at: formatTime(each.provenMs),
    proof: each.proof,
  };
}

function stateJson(state: SeriesState): object {
  const proven = state.coveredCandles + state.voidCandles;
  return {
    market: state.market,
    timeframe: state.timeframe,
    expected: state.expected.map((range) => ({
      start: formatTime(range.startMs),
      end: formatTime(range.endMs),
    })),
    expected_candles: state.expectedCandles,
    stored_candles: state.coveredCandles,
    void_candles: state.voidCandles,
    missing_candles: state.expectedCandles - proven,
    complete_to: state.completeToMs === undefined ? null : formatTime(state.completeToMs),
  };
}
