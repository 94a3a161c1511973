// `tickwell errors`: what exchanges answered instead of data, by exchange, endpoint and class, and the alerts that are open.
import type { Command } from "commander";
import { systemClock } from "../../core/clock.js";
import { formatDuration } from "../../core/duration.js";
import { formatMinute, formatSecond, formatTime } from "../../core/time.js";
import type { OpenAlert } from "../../store/alert-records.js";
import type { ErrorSummary } from "../../store/error-records.js";
import { readTime } from "../arguments.js";
import type { CommandContext, GlobalOptions } from "../command-context.js";
import { loadSettings, withStore } from "../settings.js";
import { formatCount, formatTable } from "../table.js";

interface ErrorsOptions extends GlobalOptions {
  readonly since: string;
}

/** Shown of a message, and of the list of markets. */
const MESSAGE_CHARS_MAX = 80;
const SYMBOLS_SHOWN = 3;

export function addErrorsCommand(program: Command, context: CommandContext): void {
  program
    .command("errors")
    .description("list failed requests by exchange and class, and open alerts")
    .option("--since <time>", "from this time on: a date, a time, epoch ms, or how long ago", "24h")
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<ErrorsOptions>();
      const { instance } = await loadSettings(options);
      const sinceMs = readTime("--since", options.since, systemClock.nowMs());
      await withStore(context, options, { url: instance.storage.url, role: "reader" }, async (store) => {
        const [errors, alerts] = await Promise.all([
          store.errors.summarize({ sinceMs }),
          store.alerts.open(),
        ]);
        context.stdout(
          options.json ? toJson({ sinceMs, errors, alerts }) : toText({ sinceMs, errors, alerts }),
        );
      });
    });
}

interface Report {
  readonly sinceMs: number;
  readonly errors: readonly ErrorSummary[];
  readonly alerts: readonly OpenAlert[];
}

function toText({ sinceMs, errors, alerts }: Report): string {
  const since = formatMinute(Math.floor(sinceMs / 1_000) * 1_000);
  const failed =
    errors.length === 0
      ? `No request has failed since ${since} UTC.\n`
      : `Failed requests since ${since} UTC\n${formatErrors(errors)}`;
  const open =
    alerts.length === 0 ? "No alert is open.\n" : `Open alerts\n${formatAlerts(alerts, systemClock.nowMs())}`;
  return `${failed}\n${open}`;
}

function formatErrors(errors: readonly ErrorSummary[]): string {
  return formatTable(
    [
      { title: "exchange" },
      { title: "endpoint" },
      { title: "class" },
      { title: "count", align: "right" },
      { title: "last (UTC)" },
      { title: "code" },
      { title: "markets" },
      { title: "last message" },
    ],
    errors.map((error) => [
      onOneLine(error.exchange),
      onOneLine(error.endpoint),
      error.kind,
      formatCount(error.count),
      formatSecond(error.lastMs),
      onOneLine(error.code ?? "–"),
      onOneLine(formatSymbols(error.symbols)),
      cut(onOneLine(error.lastMessage), MESSAGE_CHARS_MAX),
    ]),
  );
}

function formatAlerts(alerts: readonly OpenAlert[], nowMs: number): string {
  return formatTable(
    [
      { title: "severity" },
      { title: "since (UTC)" },
      { title: "for" },
      { title: "raised", align: "right" },
      { title: "told" },
      { title: "alert" },
    ],
    alerts.map((alert) => [
      alert.severity,
      formatSecond(alert.raisedMs),
      formatDuration(Math.max(nowMs - alert.raisedMs, 0)),
      formatCount(alert.occurrences),
      alert.notifiedMs === undefined ? "not yet" : "yes",
      `${onOneLine(alert.title)}: ${cut(onOneLine(alert.text), MESSAGE_CHARS_MAX)}`,
    ]),
  );
}

function formatSymbols(symbols: readonly string[]): string {
  if (symbols.length === 0) return "–";
  const shown = symbols.slice(0, SYMBOLS_SHOWN).join(", ");
  const others = symbols.length - SYMBOLS_SHOWN;
  return others > 0 ? `${shown} and ${formatCount(others)} more` : shown;
}

/** What an exchange sent may hold anything, also what moves a terminal's cursor. */
function onOneLine(text: string): string {
  return text.replace(/[\p{Cc}\p{Cf}\s]+/gu, " ").trim();
}

function cut(text: string, charsMax: number): string {
  return text.length > charsMax ? `${text.slice(0, charsMax - 1)}…` : text;
}

function toJson({ sinceMs, errors, alerts }: Report): string {
  const report = {
    since: formatTime(sinceMs),
    errors: errors.map((error) => ({
      exchange: error.exchange,
      endpoint: error.endpoint,
      error_type: error.kind,
      count: error.count,
      last_at: formatTime(error.lastMs),
      error_code: error.code ?? null,
      last_message: error.lastMessage,
      markets: error.symbols,
    })),
    open_alerts: alerts.map((alert) => ({
      key: alert.key,
      severity: alert.severity,
      exchange: alert.exchange ?? null,
      title: alert.title,
      text: alert.text,
      raised_at: formatTime(alert.raisedMs),
      last_seen_at: formatTime(alert.lastSeenMs),
      occurrences: alert.occurrences,
      notified_at: alert.notifiedMs === undefined ? null : formatTime(alert.notifiedMs),
    })),
  };
  return `${JSON.stringify(report, undefined, 2)}\n`;
}
