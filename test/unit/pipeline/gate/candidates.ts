// Rows as a source would have written them, for tests of what judges them.
import type { CandleCandidate } from "../../../../src/core/model/candle.js";
import { minuteMs } from "../../../support/candles.js";

/** A row the gate has nothing to say against; `minute` counts from the start of 2024. */
export function rowAt(minute: number, change: Partial<CandleCandidate> = {}): CandleCandidate {
  return {
    openTimeMs: minuteMs(minute),
    open: "100.50",
    high: "101",
    low: "99.25",
    close: "100",
    volume: "12.345",
    quoteVolume: "1234.5",
    tradeCount: 7,
    raw: [minute],
    ...change,
  };
}

/** Rows of these minutes. */
export function rowsAt(...minutes: number[]): CandleCandidate[] {
  return minutes.map((minute) => rowAt(minute));
}
