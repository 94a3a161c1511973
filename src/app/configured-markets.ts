// Which markets a collector has: those of its config as the exchange lists them, and those the exchange has dropped.
import { describeError, TickwellError } from "../core/fault.js";
import { formatMarketName, type MarketInfo } from "../core/model/market.js";
import type { Exchange } from "../exchanges/exchange.js";
import type { Store, StoredMarket } from "../store/store.js";
import { findMarket } from "./market-lookup.js";

/** A market of the config. */
export interface ConfiguredMarket {
  /** As the config names it. */
  readonly symbol: string;
  readonly market: StoredMarket;
  /** The exchange has listed it once and does not any more: delisted or renamed. */
  readonly hasVanished: boolean;
}

/** A symbol of the config that the exchange does not list and that was never collected: a slip, or a market to come. */
export interface UnknownSymbol {
  readonly symbol: string;
  /** What the exchange has instead. */
  readonly detail: string;
}

/**
 * Asks the exchange for its markets and enters those of the config, in the config's order. A market that was collected
 * before and is not listed any more stays, inactive; a symbol that nobody knows is left out: the others must go on without
 * them.
 * @throws TickwellError `malformed_payload` for an empty list; the exchange's error when it cannot be asked
 */
export async function listConfiguredMarkets(
  { exchange, store, isSimulated }: { exchange: Exchange; store: Store; isSimulated: boolean },
  symbols: readonly string[],
  signal: AbortSignal,
): Promise<{ markets: readonly ConfiguredMarket[]; unknown: readonly UnknownSymbol[] }> {
  const listed = await exchange.fetchMarkets(signal);
  if (listed.length === 0) {
    throw new TickwellError(
      { kind: "malformed_payload", path: "$", sample: "" },
      `${exchange.id} lists no market at all: that is no answer; it is asked again`,
    );
  }
  const known = (await store.listMarkets()).filter((market) => market.exchange === exchange.id);
  const chosen: { symbol: string; market: MarketInfo; hasVanished: boolean }[] = [];
  const unknown: UnknownSymbol[] = [];
  for (const symbol of symbols)
    try {
      chosen.push(chooseMarket(exchange.id, { listed, known }, symbol));
    } catch (error) {
      unknown.push({ symbol, detail: describeError(error) });
    }
  const stored =
    chosen.length === 0
      ? []
      : await store.putMarkets(
          exchange.id,
          chosen.map(({ market }) => market),
          { isSimulated },
        );
  const bySymbol = new Map(stored.map((market) => [market.symbol, market]));
  const markets = chosen.map(({ symbol, market, hasVanished }) => {
    const found = bySymbol.get(market.symbol);
    if (!found) throw new Error(`${market.symbol} was stored and is not there`);
    return { symbol, market: found, hasVanished };
  });
  return { markets, unknown };
}

/** @throws TickwellError `config` naming the nearest markets */
function chooseMarket(
  exchange: string,
  { listed, known }: { listed: readonly MarketInfo[]; known: readonly StoredMarket[] },
  symbol: string,
): { symbol: string; market: MarketInfo; hasVanished: boolean } {
  const before = known.find((market) => market.symbol === symbol || market.nativeSymbol === symbol);
  const isListed = before === undefined || listed.some((market) => market.symbol === before.symbol);
  if (isListed) return { symbol, market: findMarket(exchange, listed, symbol), hasVanished: false };
  return { symbol, market: { ...before, isActive: false }, hasVanished: true };
}

/**
 * What a person has to know about a market that cannot be collected; undefined for one that can.
 * @param refusal the exchange's words when it was last asked for the market's data and did not know it
 */
export function troubleOf(
  { market, hasVanished }: ConfiguredMarket,
  refusal?: string,
): { title: string; text: string } | undefined {
  const name = formatMarketName(market);
  if (hasVanished) {
    return {
      title: `${name} is not listed any more`,
      text: `${market.exchange} has delisted or renamed it. The other markets go on; what is stored stays, nothing more is expected. Name its successor in the config, or remove it.`,
    };
  }
  if (market.isActive && refusal !== undefined)
    return { title: `${name} is listed and its data is refused`, text: refusal };
  if (market.isActive) return undefined;
  return {
    title: `${name} is suspended`,
    text: `${market.exchange} lists it and does not trade it. It is looked at again by itself; nothing has to be done.`,
  };
}
