// What the plan does to one connection's streams.
import type { FaultOf, StreamFaultKind } from "../fault-conditions.js";
import type { FaultInjector } from "../fault-injector.js";
import type { VenueName } from "../venue-name.js";
import type { Topic } from "./feed.js";

/** The topic of faults that strike connections. */
const NO_TOPIC: Topic = { market: undefined, channel: "", kind: "other" };

export class StreamFaults {
  readonly #injector: FaultInjector;
  readonly #venue: VenueName;

  constructor(injector: FaultInjector, venue: VenueName) {
    this.#injector = injector;
    this.#venue = venue;
  }

  /** False when nothing is planned for streams. */
  get any(): boolean {
    return this.#injector.hasStreamFaults;
  }

  /** @param asked.key tells the message, candle or subscription from others of its topic */
  strike<K extends StreamFaultKind>(
    kind: K,
    topic: Topic,
    { key, nowMs }: { key: string; nowMs: number },
  ): FaultOf<K> | undefined {
    if (!this.#injector.hasStreamFaults) return undefined;
    const { channel, kind: dataType, market } = topic;
    const asked = { exchange: this.#venue, symbols: market?.names ?? [], channel, dataType, key };
    return this.#injector.strikeStream(kind, asked, nowMs);
  }

  strikeConnection<K extends "ws_refuse" | "ws_end">(
    kind: K,
    asked: { key: string; nowMs: number },
  ): FaultOf<K> | undefined {
    return this.strike(kind, NO_TOPIC, asked);
  }
}
