// Compares what is stored with what the simulated exchange knows to be right.
import { formatMinute } from "../core/time.js";
import type { GroundTruth } from "../../simulator/ground-truth.js";
import type { Store, StoredCandle } from "../store/store.js";

export interface Comparison {
  readonly compared: number;
  /** Candles that differ, are missing, or should not be there. */
  readonly differences: number;
  /** The first difference, in words. */
  readonly first: string | undefined;
}

/** Compares every stored series in full, field by field as text. */
export async function compareWithTruth(
  store: Store,
  truthOf: (exchange: string) => GroundTruth,
  signal: AbortSignal,
): Promise<Comparison> {
  const markets = new Map((await store.listMarkets()).map((market) => [market.id, market]));
  let compared = 0;
  let differences = 0;
  let first: string | undefined;
  for (const series of await store.seriesStates({})) {
    const { exchange = "", symbol = "" } = markets.get(series.marketId) ?? {};
    const [range] = series.expected;
    if (!range) continue;
    const right = new Map(
      truthOf(exchange)
        .candles(symbol, series.timeframe, range.startMs, range.endMs)
        .map((candle) => [candle.openTimeMs, candle]),
    );
    for await (const page of store.readCandles(series, range, signal)) {
      for (const stored of page) {
        compared++;
        const wanted = right.get(stored.openTimeMs);
        right.delete(stored.openTimeMs);
        if (
          wanted &&
          textOf(stored) ===
            textOf({
              ...wanted,
              quoteVolume: wanted.quoteVolume ?? null,
              // OKX does not tell how many trades made a candle.
              tradeCount: exchange === "okx" ? null : (wanted.tradeCount ?? null),
            })
        )
          continue;
        differences++;
        first ??= `${exchange}:${symbol} ${formatMinute(stored.openTimeMs)}`;
      }
    }
    // What is left was not stored although the exchange has it.
    differences += right.size;
    for (const openTimeMs of right.keys())
      first ??= `${exchange}:${symbol} ${formatMinute(openTimeMs)} is not stored`;
  }
  return { compared, differences, first };
}

function textOf(
  candle: Pick<StoredCandle, "open" | "high" | "low" | "close" | "volume" | "quoteVolume" | "tradeCount">,
): string {
  return [
    candle.open,
    candle.high,
    candle.low,
    candle.close,
    candle.volume,
    candle.quoteVolume,
    candle.tradeCount,
  ].join(" ");
}
