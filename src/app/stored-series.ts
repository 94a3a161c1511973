// Which of the stored series a command is about.
import { formatMarketName } from "../core/model/market.js";
import type { SeriesFilter, SeriesKey, Store, StoredMarket } from "../store/store.js";
import { usageError } from "./arguments.js";
import { findMarket, readMarketName, readTimeframe } from "./market-lookup.js";

/** `--market` and `--timeframe` as a filter. @throws TickwellError `config` naming the nearest stored markets */
export async function readStoredFilter(
  store: Store,
  options: { market?: string; timeframe?: string },
): Promise<SeriesFilter> {
  const timeframe = options.timeframe === undefined ? {} : { timeframe: readTimeframe(options.timeframe) };
  if (options.market === undefined) return timeframe;
  return { marketId: (await findStoredMarket(store, options.market)).id, ...timeframe };
}

/** A series by its names. @throws TickwellError `config` naming the nearest stored markets */
export async function findStoredSeries(
  store: Store,
  market: string,
  timeframe: string,
): Promise<SeriesKey & { market: StoredMarket }> {
  const known = readTimeframe(timeframe);
  const found = await findStoredMarket(store, market);
  return { market: found, marketId: found.id, timeframe: known };
}

/** A market by its name. @throws TickwellError `config` naming the nearest stored markets */
export async function findStoredMarket(store: Store, text: string): Promise<StoredMarket> {
  const { exchange, symbol } = readMarketName(text);
  const markets = await store.listMarkets();
  const ofExchange = markets.filter((market) => market.exchange === exchange);
  if (ofExchange.length > 0) return findMarket(exchange, ofExchange, symbol);
  const stored = markets.slice(0, 5).map(formatMarketName).join(", ");
  throw usageError(
    `nothing is stored of exchange "${exchange}"${stored === "" ? "; the store is empty" : `; stored: ${stored}`}`,
  );
}
