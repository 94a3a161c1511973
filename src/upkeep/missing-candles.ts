// How many candles a set of series still misses, by the ledger.
import type { Store } from "../store/store.js";
import { seriesKeyText, type Series } from "./candle-keeper.js";

/** Over all of them, in one question. @throws TickwellError `database` */
export async function countMissing(
  store: Pick<Store, "seriesStates">,
  series: readonly Series[],
): Promise<number> {
  const mine = new Set(
    series.map(({ market, timeframe }) => seriesKeyText({ marketId: market.id, timeframe })),
  );
  const states = await store.seriesStates({});
  return states
    .filter((state) => mine.has(seriesKeyText(state)))
    .reduce((sum, each) => sum + each.expectedCandles - each.coveredCandles - each.voidCandles, 0);
}
