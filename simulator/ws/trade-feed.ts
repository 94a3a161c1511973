// The trades of a market as they happen, aggregate by aggregate.
import type { FaultInjector } from "../fault-injector.js";
import type { SimulatedMarket } from "../simulated-market.js";
import type { AggregateTrade } from "../trade-tape.js";
import type { Feed } from "./feed.js";

export class TradeFeed implements Feed {
  readonly #market: SimulatedMarket;
  readonly #faults: FaultInjector;
  readonly #aggregates: Iterator<AggregateTrade>;
  readonly #write: (aggregate: AggregateTrade) => readonly string[];
  #head: AggregateTrade | undefined;
  dueMs = 0;

  /**
   * @param fromMs trades after this time are told
   * @param write the payloads of one aggregate
   */
  constructor(
    market: SimulatedMarket,
    { fromMs, faults }: { fromMs: number; faults: FaultInjector },
    write: (aggregate: AggregateTrade) => readonly string[],
  ) {
    this.#market = market;
    this.#faults = faults;
    // Trades of the future are drawn like those of the past; nobody hears of them before their time.
    this.#aggregates = market.aggregatesFrom(fromMs + 1, Infinity);
    this.#write = write;
    this.#advance();
  }

  next(): readonly string[] {
    const head = this.#head;
    this.#advance();
    return head === undefined || this.#isMissing(head) ? [] : this.#write(head);
  }

  #advance(): void {
    const next = this.#aggregates.next();
    this.#head = next.done === true ? undefined : next.value;
    // In the order of ids, also where a trade's time is not.
    this.dueMs = this.#head === undefined ? Infinity : Math.max(this.dueMs, this.#head.timeMs);
  }

  #isMissing(aggregate: AggregateTrade): boolean {
    const { venue, names } = this.#market;
    return this.#faults.isTradeMissing({ exchange: venue, symbols: names }, aggregate, aggregate.timeMs);
  }
}
