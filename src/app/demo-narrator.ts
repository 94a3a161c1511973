// Tells in plain words what went missing and what became of it, as the gap log grows.
import { formatMinute } from "../core/time.js";
import type { GapReason } from "../core/model/candle-batch.js";
import type { Store } from "../store/store.js";
import { formatCount } from "./table.js";

interface LogEntry {
  readonly id: number;
  readonly symbol: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly reason: GapReason;
  readonly detail: string;
  readonly isClosed: boolean;
  readonly repaired: number;
  readonly voided: number;
}

const NAMES_MAX = 2;
const MINUTE_MS = 60_000;

export class DemoNarrator {
  readonly #store: Store;
  readonly #tell: (sentence: string) => void;
  readonly #toldOpen = new Set<number>();
  readonly #toldClosed = new Set<number>();

  constructor(store: Store, tell: (sentence: string) => void) {
    this.#store = store;
    this.#tell = tell;
  }

  /** Tells what has happened since the last call; the same gap of several markets is one sentence. */
  async catchUp(signal: AbortSignal): Promise<void> {
    const entries = await this.#read(signal);
    const opened = entries.filter((entry) => !this.#toldOpen.has(entry.id));
    const closed = entries.filter((entry) => entry.isClosed && !this.#toldClosed.has(entry.id));
    for (const group of groupAlike(opened)) this.#tell(describeOpened(group));
    for (const group of groupAlike(closed)) this.#tell(describeClosed(group));
    for (const entry of opened) this.#toldOpen.add(entry.id);
    for (const entry of closed) this.#toldClosed.add(entry.id);
  }

  async #read(signal: AbortSignal): Promise<LogEntry[]> {
    const { rows } = await this.#store.query(
      `SELECT g.id, m.symbol, extract(epoch FROM g.start_time)::float8 * 1000, extract(epoch FROM g.end_time)::float8 * 1000,
              g.reason, g.detail, g.closed_at IS NOT NULL, g.repaired_records, g.void_records
       FROM gap_log g JOIN markets m ON m.id = g.market_id ORDER BY g.start_time, m.symbol`,
      signal,
    );
    return rows.map(([id, symbol, startMs, endMs, reason, detail, isClosed, repaired, voided]) => ({
      id: Number(id),
      symbol: String(symbol),
      startMs: Number(startMs),
      endMs: Number(endMs),
      reason: reason as GapReason,
      detail: String(detail),
      isClosed: isClosed === true,
      repaired: Number(repaired),
      voided: Number(voided),
    }));
  }
}

/** Entries of the same range, reason and outcome, in order. */
function groupAlike(entries: readonly LogEntry[]): LogEntry[][] {
  const groups = new Map<string, LogEntry[]>();
  for (const entry of entries) {
    const key = [entry.startMs, entry.endMs, entry.reason, entry.isClosed, entry.voided > 0].join(" ");
    const group = groups.get(key);
    if (group) group.push(entry);
    else groups.set(key, [entry]);
  }
  return [...groups.values()];
}

function describeOpened(group: readonly LogEntry[]): string {
  const [first] = group;
  if (!first) return "";
  return `MISSING   ${names(group)}: ${range(first)}: ${because(first)}.`;
}

function because(entry: LogEntry): string {
  switch (entry.reason) {
    case "absent":
      return "the exchange left them out of its answer; it is asked once more before that is believed";
    case "rejected":
      return `the exchange sent rows that cannot be right (${entry.detail}); they are kept in quarantine and asked for again`;
    case "fetch_failed":
      return "the exchange could not be reached; asked for again in the next cycle";
    case "not_collected":
      return "nothing was collecting; fetched now";
  }
}

function describeClosed(group: readonly LogEntry[]): string {
  const [first] = group;
  if (!first) return "";
  const subject = `${names(group)}: ${range(first)}`;
  if (first.voided === 0)
    return `REPAIRED  ${subject}: asked again, and ${first.repaired === 1 ? "it" : `all ${formatCount(first.repaired)}`} arrived, passed the gate and ${first.repaired === 1 ? "is" : "are"} stored.`;
  if (first.repaired === 0)
    return `VOID      ${subject}: the exchange answered twice that it has none, though it has later ones; both answers are kept as proof.`;
  return `CLOSED    ${subject}: ${formatCount(first.repaired)} arrived when asked again, ${formatCount(first.voided)} do not exist at the exchange.`;
}

function names(group: readonly LogEntry[]): string {
  const symbols = group.map((entry) => entry.symbol);
  if (symbols.length <= NAMES_MAX + 1) return symbols.join(", ");
  return `${symbols.slice(0, NAMES_MAX).join(", ")} and ${symbols.length - NAMES_MAX} other markets`;
}

function range(entry: LogEntry): string {
  const candles = (entry.endMs - entry.startMs) / MINUTE_MS;
  return `${candles === 1 ? "the candle" : `${formatCount(candles)} candles`} of ${formatMinute(entry.startMs)}${candles === 1 ? "" : ` to ${formatMinute(entry.endMs - MINUTE_MS).slice(11)}`}`;
}
