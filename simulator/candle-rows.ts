// Candles on their way into a page, with what the fault plan does to rows: left out, revised, broken. Shared by all
// venues; how a row is written is theirs. Rows of every venue begin with time, open, high, low, close, volume.
import { timeframeMs, type Timeframe } from "../src/core/timeframe.js";
import type { Bar } from "./bar-maker.js";
import type { AskedRow } from "./fault-conditions.js";
import type { FaultInjector } from "./fault-injector.js";
import type { RowLie } from "./fault-plan.js";
import type { OpenedBar, SimulatedMarket } from "./simulated-market.js";

export type CandleRow = (string | number)[];

/** The page that is being made. */
export interface PageContext {
  readonly market: SimulatedMarket;
  readonly timeframe: Timeframe;
  readonly faults: FaultInjector;
  readonly nowMs: number;
}

/** The candles without those that a fault keeps back. */
export function* withoutLate(bars: Iterable<OpenedBar>, context: PageContext): Generator<OpenedBar> {
  for (const opened of bars) {
    if (!context.faults.isLate(askedRow(context, opened.openTimeMs), context.nowMs)) yield opened;
  }
}

/** Writes a page in the order given, and breaks the rows that a fault strikes. */
export function writeCandleRows(
  page: readonly OpenedBar[],
  context: PageContext,
  write: (openTimeMs: number, bar: Bar, isClosed: boolean) => CandleRow,
): CandleRow[] {
  const { faults, nowMs, timeframe } = context;
  const rows: CandleRow[] = [];
  const misplaced: number[] = [];
  for (const { openTimeMs, bar } of page) {
    const asked = askedRow(context, openTimeMs);
    const isClosed = openTimeMs + timeframeMs(timeframe) <= nowMs;
    const row = write(openTimeMs, isClosed ? faults.revise(asked, bar, nowMs) : bar, isClosed);
    const lie = faults.lieAbout(asked, nowMs);
    if (lie === "out_of_order") misplaced.push(rows.length);
    rows.push(lie === undefined ? row : broken(row, lie));
    if (lie === "duplicate") rows.push([...row]);
  }
  for (const at of misplaced) {
    const other = at > 0 ? at - 1 : 1;
    const [a, b] = [rows[at], rows[other]];
    if (a && b) [rows[at], rows[other]] = [b, a];
  }
  return rows;
}

function askedRow({ market, timeframe }: PageContext, openTimeMs: number): AskedRow {
  return { exchange: market.venue, symbols: market.names, timeframe, openTimeMs };
}

/** The row with one thing wrong with it. */
function broken(row: CandleRow, lie: RowLie): CandleRow {
  const spoiled = [...row];
  const [time] = row;
  switch (lie) {
    case "high_below_low":
      [spoiled[2], spoiled[3]] = ["1.00000000", "2.00000000"];
      return spoiled;
    case "negative_volume":
      spoiled[5] = "-1.00000000";
      return spoiled;
    case "off_grid":
      spoiled[0] = typeof time === "string" ? String(Number(time) + 1_234) : Number(time) + 1_234;
      return spoiled;
    case "nan":
      spoiled[4] = "NaN";
      return spoiled;
    case "number":
      spoiled[4] = Number(row[4]);
      return spoiled;
    case "short_row":
      return spoiled.slice(0, 5);
    case "duplicate":
    case "out_of_order":
      return spoiled;
  }
}
