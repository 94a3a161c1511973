// Tells in plain words what went missing and what became of it, as the gap log grows.
import { formatMinute } from "../core/time.js";
import type { GapReason } from "../core/model/candle-batch.js";
import type { Store } from "../store/store.js";
import { formatCount } from "./table.js";

interface LogEntry {
  readonly id: number;
  readonly market: string;
  readonly startMs: number;
  readonly endMs: number;
  readonly reason: GapReason;
  readonly detail: string;
  readonly isClosed: boolean;
  readonly repaired: number;
  readonly voided: number;
}

/** What happened to a stretch of candles. */
export interface DemoEvent {
  readonly kind: "missing" | "repaired" | "void" | "closed";
  /** Whose candles, and which. */
  readonly subject: string;
  /** Why, or how it ended. */
  readonly explanation: string;
}

const NAMES_MAX = 2;
const MINUTE_MS = 60_000;

export class DemoNarrator {
  readonly #store: Store;
  readonly #tell: (event: DemoEvent) => void;
  readonly #toldOpen = new Set<number>();
  readonly #toldClosed = new Set<number>();

  constructor(store: Store, tell: (event: DemoEvent) => void) {
    this.#store = store;
    this.#tell = tell;
  }

  /** Tells what has happened since the last call; the same gap of several markets is one sentence. */
  async catchUp(signal: AbortSignal): Promise<void> {
    const entries = await this.#read(signal);
    const opened = entries.filter((entry) => !this.#toldOpen.has(entry.id));
    const closed = entries.filter((entry) => entry.isClosed && !this.#toldClosed.has(entry.id));
    for (const [first, markets] of groupAlike(opened)) {
      this.#tell({ kind: "missing", subject: subjectOf(first, markets), explanation: because(first) });
    }
    for (const [first, markets] of groupAlike(closed))
      this.#tell({ ...outcomeOf(first), subject: subjectOf(first, markets) });
    for (const entry of opened) this.#toldOpen.add(entry.id);
    for (const entry of closed) this.#toldClosed.add(entry.id);
  }

  async #read(signal: AbortSignal): Promise<LogEntry[]> {
    const { rows } = await this.#store.query(
      `SELECT g.id, e.name || ':' || m.symbol AS market, extract(epoch FROM g.start_time)::float8 * 1000, extract(epoch FROM g.end_time)::float8 * 1000,
              g.reason, g.detail, g.closed_at IS NOT NULL, g.repaired_records, g.void_records
       FROM gap_log g JOIN markets m ON m.id = g.market_id JOIN exchanges e ON e.id = m.exchange_id WHERE g.data_type = 'ohlcv' ORDER BY g.start_time, market`,
      signal,
    );
    return rows.map(([id, market, startMs, endMs, reason, detail, isClosed, repaired, voided]) => ({
      id: Number(id),
      market: String(market),
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

/** Entries of the same range, reason and outcome, in order: one of them, and the markets of all. */
function groupAlike(entries: readonly LogEntry[]): [LogEntry, string[]][] {
  const groups = new Map<string, [LogEntry, string[]]>();
  for (const entry of entries) {
    const key = [entry.startMs, entry.endMs, entry.reason, entry.isClosed, entry.voided > 0].join(" ");
    const group = groups.get(key);
    if (group) group[1].push(entry.market);
    else groups.set(key, [entry, [entry.market]]);
  }
  return [...groups.values()];
}

function because(entry: LogEntry): string {
  switch (entry.reason) {
    case "absent":
      return "left out of the exchange's answer; it is asked once more before that is believed";
    case "rejected":
      return `the exchange sent what cannot be right (${entry.detail}): in quarantine, asked for again`;
    case "fetch_failed":
      return "the exchange could not be asked; the next cycle asks again";
    case "not_collected":
      return "nothing could be collected meanwhile; fetched now";
  }
}

function outcomeOf({ repaired, voided }: LogEntry): Pick<DemoEvent, "kind" | "explanation"> {
  if (voided === 0)
    return { kind: "repaired", explanation: "asked again: arrived in full, passed the gate, stored" };
  if (repaired === 0) {
    return {
      kind: "void",
      explanation:
        "the exchange answered twice that it has none, though it has later ones; both answers are kept",
    };
  }
  return {
    kind: "closed",
    explanation: `${formatCount(repaired)} arrived when asked again, ${formatCount(voided)} do not exist at the exchange`,
  };
}

function subjectOf(entry: LogEntry, markets: readonly string[]): string {
  const names =
    markets.length <= NAMES_MAX + 1
      ? markets.join(", ")
      : `${markets.slice(0, NAMES_MAX).join(", ")} and ${markets.length - NAMES_MAX} more`;
  const candles = (entry.endMs - entry.startMs) / MINUTE_MS;
  const from = formatMinute(entry.startMs);
  return candles === 1
    ? `${names}: the candle of ${from}`
    : `${names}: ${formatCount(candles)} candles, ${from} to ${formatMinute(entry.endMs - MINUTE_MS).slice(11)}`;
}
