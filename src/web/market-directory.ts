// Finds markets by name for every route, ours or the exchange's; a name nobody knows is answered with those that may have been meant.
import { distance } from "fastest-levenshtein";
import type { Clock } from "../core/clock.js";
import { formatMarketName } from "../core/model/market.js";
import type { Store, StoredMarket } from "../store/store.js";
import { ApiProblem } from "./problem.js";

/** A market that was added shows within this time; one that is asked for and not known is looked for at once. */
const FRESH_MS = 5_000;
/** And no more often than this, however many unknown ones are asked for. */
const AGAIN_MS = 500;
const NEAREST_MAX = 3;

export class MarketDirectory {
  readonly #store: Pick<Store, "listMarkets">;
  readonly #clock: Clock;
  /** `binance:BTC/USDT`, and the exchange's own `binance:BTCUSDT` */
  #byName = new Map<string, StoredMarket>();
  #byId = new Map<number, StoredMarket>();
  #readMs = -Infinity;
  #reading: Promise<void> | undefined;

  constructor({ store, clock }: { store: Pick<Store, "listMarkets">; clock: Clock }) {
    this.#store = store;
    this.#clock = clock;
  }

  async all(): Promise<readonly StoredMarket[]> {
    await this.#refresh(FRESH_MS);
    return [...this.#byId.values()];
  }

  /** As last read. */
  known(marketId: number): StoredMarket | undefined {
    return this.#byId.get(marketId);
  }

  /** @throws ApiProblem 404 with the nearest names */
  async find(name: string, parameter = "market"): Promise<StoredMarket> {
    await this.#refresh(FRESH_MS);
    const found = this.#byName.get(name);
    if (found) return found;
    await this.#refresh(AGAIN_MS);
    const late = this.#byName.get(name);
    if (late) return late;
    const nearest = this.nearest(name);
    const shown = name.replace(/[^\x20-\x7e]/g, "?").slice(0, 100);
    throw new ApiProblem(
      404,
      `${parameter}: there is no market "${shown}"${nearest.length > 0 ? `; did you mean ${nearest.join(", ")}?` : "; nothing is collected yet"}`,
      { parameter, nearest },
    );
  }

  /** Several, parted by commas. @throws ApiProblem 404 */
  async findAll(names: string, parameter = "market"): Promise<StoredMarket[]> {
    const found: StoredMarket[] = [];
    for (const name of new Set(names.split(","))) found.push(await this.find(name, parameter));
    return found;
  }

  /** Names that look like this one, the nearest first. */
  nearest(name: string): string[] {
    const wanted = name.toUpperCase().slice(0, 100);
    return [...this.#byId.values()]
      .map((market) => ({
        name: formatMarketName(market),
        steps: Math.min(
          distance(formatMarketName(market).toUpperCase(), wanted),
          distance(market.symbol.toUpperCase(), wanted) + 1,
          distance(market.nativeSymbol.toUpperCase(), wanted) + 1,
        ),
      }))
      .sort((a, b) => a.steps - b.steps || a.name.localeCompare(b.name))
      .slice(0, NEAREST_MAX)
      .map((each) => each.name);
  }

  async #refresh(olderThanMs: number): Promise<void> {
    if (Math.abs(this.#clock.nowMs() - this.#readMs) < olderThanMs) return;
    this.#reading ??= this.#read().finally(() => (this.#reading = undefined));
    await this.#reading;
  }

  async #read(): Promise<void> {
    const markets = await this.#store.listMarkets();
    this.#byName = new Map([
      ...markets.map((market) => [`${market.exchange}:${market.nativeSymbol}`, market] as const),
      ...markets.map((market) => [formatMarketName(market), market] as const),
    ]);
    this.#byId = new Map(markets.map((market) => [market.id, market]));
    this.#readMs = this.#clock.nowMs();
  }
}
