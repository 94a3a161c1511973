// The live part of the demo: streams of a few markets are followed while the cycles run, with faults of their own; what they
// leave out is told and fetched, and in the end every stored trade and book is compared with the simulator's truth.
import type { Clock } from "../core/clock.js";
import type { Log } from "../core/log.js";
import { formatMarketName } from "../core/model/market.js";
import { seededRandom } from "../core/random.js";
import type { Exchange } from "../exchanges/exchange.js";
import type { LiveTap } from "../pipeline/feed/live/live-tap.js";
import type { LiveMarket } from "../pipeline/feed/live/live-feed.js";
import { DEFAULT_VALIDATION } from "../pipeline/gate/validation.js";
import type { Pipeline } from "../pipeline/pipeline.js";
import type { Store, StoredMarket } from "../store/store.js";
import { LiveFollower } from "../upkeep/live-follower.js";
import type { VenueFeed } from "../upkeep/metrics/intake-metrics.js";
import type { GroundTruth } from "../../simulator/ground-truth.js";
import type { DemoEvent } from "./demo-narrator.js";
import { formatCount, formatTable } from "./table.js";

export interface DemoLiveOptions {
  readonly store: Store;
  readonly pipeline: Pipeline;
  readonly clock: Clock;
  readonly log: Log;
  readonly seed: number;
  readonly wsUrl: string;
  readonly tell: (event: DemoEvent) => void;
  /** For the API. */
  readonly tap: LiveTap;
}

/** What became of one market's streams. */
export interface DemoLiveRow {
  readonly market: string;
  readonly trades: number;
  /** Left out by the stream, and fetched by REST. */
  readonly missing: number;
  readonly fetched: number;
  readonly books: number;
  readonly secondsWithoutBook: number;
}

/** Stored trades and books against the truth. */
export interface DemoLiveComparison {
  readonly trades: number;
  readonly books: number;
  readonly differences: number;
  readonly first: string | undefined;
}

/** Told one by one up to here; of the rest the table has the count. */
const EVENTS_TOLD = 6;
const LEVELS = 10;
const EVERYTHING = { startMs: 0, endMs: 8.64e15 / 1_000 };

export class DemoLive {
  readonly #options: DemoLiveOptions;
  readonly #followers: LiveFollower[] = [];
  /** Of each follower. */
  readonly #venues: string[] = [];
  readonly #running: Promise<void>[] = [];
  readonly #stop = new AbortController();
  readonly #markets: StoredMarket[] = [];
  readonly #missing = new Map<number, number>();
  readonly #fetched = new Map<number, number>();
  #told = 0;

  constructor(options: DemoLiveOptions) {
    this.#options = options;
  }

  /** What is followed, by venue. */
  feeds(): VenueFeed[] {
    return this.#followers.map(({ feed }, i) => ({ exchange: this.#venues[i] ?? "", feed }));
  }

  /** Follows these markets of a venue from now on. */
  follow(exchange: Exchange, markets: readonly StoredMarket[]): void {
    const { store, pipeline, clock, log, seed, wsUrl, tap } = this.#options;
    const follower = new LiveFollower({
      exchange,
      wsUrl,
      markets: markets.map((market): LiveMarket => ({
        market,
        trades: true,
        book: { levels: LEVELS, snapshotEveryMs: 5_000, keepsDeltas: false },
        timeframes: ["1m"],
        validation: DEFAULT_VALIDATION,
      })),
      store,
      stage: pipeline.stage,
      clock,
      random: seededRandom(seed),
      log,
      sweepEveryMs: 300_000,
      tap,
      onGap: (market, { firstId, lastId }) => {
        add(this.#missing, market.id, lastId - firstId + 1);
        const ids = firstId === lastId ? `trade ${firstId}` : `trades ${firstId} to ${lastId}`;
        this.#event(
          "missing",
          market,
          `${ids} did not come in by the stream`,
          "known by its id when the next one came; fetched by REST at once",
        );
      },
      onRepaired: (market, trades) => {
        add(this.#fetched, market.id, trades);
        this.#event(
          "repaired",
          market,
          `${trades} missing trade${trades === 1 ? "" : "s"} fetched`,
          "its ids continue without a hole again",
        );
      },
    });
    this.#markets.push(...markets);
    this.#followers.push(follower);
    this.#venues.push(exchange.id);
    const deadline = AbortSignal.timeout(2 ** 31 - 1);
    const running = follower.run(this.#stop.signal, deadline);
    running.catch(() => undefined);
    this.#running.push(running);
  }

  /** What came in so far, in words; undefined before anything did. */
  words(): string | undefined {
    const counts = this.#followers.map(({ feed }) => feed.counts);
    const trades = counts.reduce((sum, each) => sum + each.trades, 0);
    const books = counts.reduce((sum, each) => sum + each.books, 0);
    if (trades === 0) return undefined;
    const streams = this.#followers.flatMap(({ feed }) => feed.markets()).find(({ book }) => book?.isValid);
    const top = streams?.book?.top(1);
    const price =
      streams && top ? `; ${formatMarketName(streams.market)} ${top.bids[0]?.[0]} / ${top.asks[0]?.[0]}` : "";
    return `${formatCount(trades)} trades and ${formatCount(books)} order books by stream${price}`;
  }

  /** Ends the streams, looks once more for what is missing, and waits until it is fetched. */
  async stop(): Promise<void> {
    this.#stop.abort(new Error("the demo is over"));
    await Promise.all(this.#running);
    for (const follower of this.#followers) await follower.sweep(new AbortController().signal);
  }

  async rows(): Promise<DemoLiveRow[]> {
    const { store } = this.#options;
    const measured = await store.live.measure({
      window: EVERYTHING,
      marketIds: this.#markets.map(({ id }) => id),
    });
    return this.#markets.map((market) => {
      const of = (dataType: string) =>
        measured.find((each) => each.marketId === market.id && each.dataType === dataType);
      const books = of("orderbook");
      return {
        market: formatMarketName(market),
        trades: of("trades")?.stored ?? 0,
        missing: this.#missing.get(market.id) ?? 0,
        fetched: this.#fetched.get(market.id) ?? 0,
        books: books?.stored ?? 0,
        secondsWithoutBook: books ? Math.max(0, books.expectedMs - books.coveredMs) / 1_000 : 0,
      };
    });
  }

  /** Compares every stored trade and book with the truth, and looks for ids that are still missing. */
  async compare(truthOf: (exchange: string) => GroundTruth): Promise<DemoLiveComparison> {
    let trades = 0;
    let books = 0;
    let differences = 0;
    let first: string | undefined;
    const differ = (what: string): void => {
      differences++;
      first ??= what;
    };
    for (const market of this.#markets) {
      const name = formatMarketName(market);
      const truth = truthOf(market.exchange);
      const stored = await this.#storedTrades(market.id);
      trades += stored.size;
      for (const [id, text] of trueTrades(truth, market, stored)) {
        if (stored.get(id)?.text !== text) differ(`${name}: trade ${id}`);
      }
      for await (const page of this.#options.store.live.readBooks(
        market.id,
        EVERYTHING,
        new AbortController().signal,
      )) {
        for (const book of page) {
          books++;
          const right = truth.bookAt(market.symbol, book.sequence, LEVELS);
          if (JSON.stringify([book.bids, book.asks]) !== JSON.stringify([right.bids, right.asks]))
            differ(`${name}: the book ${book.sequence}`);
        }
      }
    }
    return { trades, books, differences, first };
  }

  async #storedTrades(marketId: number): Promise<Map<number, { timeMs: number; text: string }>> {
    const stored = new Map<number, { timeMs: number; text: string }>();
    const never = new AbortController().signal;
    for await (const page of this.#options.store.live.readTrades(marketId, EVERYTHING, never))
      for (const { id, timeMs, price, qty, side } of page)
        stored.set(id, { timeMs, text: `${timeMs} ${price} ${qty} ${side}` });
    return stored;
  }

  #event(kind: DemoEvent["kind"], market: StoredMarket, what: string, explanation: string): void {
    if (++this.#told > EVENTS_TOLD) return;
    this.#options.tell({ kind, subject: `${formatMarketName(market)}: ${what}`, explanation });
  }
}

/** All trades of the truth from the first stored one to the last, as text, by the id they are stored under. */
function trueTrades(
  truth: GroundTruth,
  { exchange, symbol }: StoredMarket,
  stored: ReadonlyMap<number, { timeMs: number }>,
): Map<number, string> {
  const ids = [...stored.keys()];
  const timesMs = [...stored.values()].map(({ timeMs }) => timeMs);
  if (ids.length === 0) return new Map();
  const range = (values: readonly number[]): [number, number] =>
    values.reduce(
      ([low, high], value) => [Math.min(low, value), Math.max(high, value)],
      [Infinity, -Infinity],
    );
  const [firstId, lastId] = range(ids);
  const [fromMs, toMs] = range(timesMs);
  const rows =
    exchange === "okx"
      ? truth.trades(symbol, fromMs, toMs + 1)
      : truth.aggregateTrades(symbol, fromMs, toMs + 1);
  return new Map(
    rows
      .filter(({ id }) => id >= firstId && id <= lastId)
      .map(({ id, timeMs, price, qty, side }) => [id, `${timeMs} ${price} ${qty} ${side}`]),
  );
}

export function formatDemoLive(rows: readonly DemoLiveRow[]): string {
  const numbers = ["trades", "left out", "fetched", "books", "without a book"];
  return formatTable(
    [{ title: "followed live" }, ...numbers.map((title) => ({ title, align: "right" as const }))],
    rows.map((row) => [
      row.market,
      formatCount(row.trades),
      formatCount(row.missing),
      formatCount(row.fetched),
      formatCount(row.books),
      `${row.secondsWithoutBook.toFixed(1)} s`,
    ]),
  );
}

function add(counts: Map<number, number>, key: number, count: number): void {
  counts.set(key, (counts.get(key) ?? 0) + count);
}
