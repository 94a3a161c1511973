// Binance's side of a connection to its streams, spot or USDⓈ-M: requests and their answers, PINGs, and limits.
import type { FaultInjector } from "../fault-injector.js";
import type { SimulatedMarket } from "../simulated-market.js";
import type { Connection } from "../ws/connection.js";
import { SILENT_FEED, type Topic } from "../ws/feed.js";
import { MessageLimiter } from "../ws/message-limiter.js";
import type { Session } from "../ws/session.js";
import { openStream, type StreamCategory } from "./stream-names.js";
import { parseStreamRequest, type RequestId, type StreamRefusal } from "./stream-requests.js";
import { streamText, type StreamText } from "./stream-time.js";

export interface BinanceStreamRules {
  readonly messagesPerSecond: number;
  readonly streamsMax: number;
  /** The server sends a PING so often … */
  readonly pingEveryMs: number;
  /** … and waits so long for the PONG. */
  readonly pongWithinMs: number;
}

export const SPOT_RULES: BinanceStreamRules = {
  messagesPerSecond: 5,
  streamsMax: 1_024,
  pingEveryMs: 20_000,
  pongWithinMs: 60_000,
};
export const FUTURES_RULES: BinanceStreamRules = {
  messagesPerSecond: 10,
  streamsMax: 1_024,
  pingEveryMs: 180_000,
  pongWithinMs: 600_000,
};

export interface BinanceSessionOptions {
  readonly connection: Connection;
  readonly markets: readonly SimulatedMarket[];
  readonly injector: FaultInjector;
  readonly rules: BinanceStreamRules;
  readonly isSpot: boolean;
  /** What the path serves; undefined for the paths USDⓈ-M no longer serves. Spot has one for all. */
  readonly category: StreamCategory | "any" | undefined;
  readonly isCombined: boolean;
  readonly inMicroseconds: boolean;
  /** Those of the URL. */
  readonly streams: readonly string[];
}

const POLICY_CODE = 1_008;

export class BinanceSession implements Session {
  readonly endCode = 1_001;
  readonly endReason = "";
  readonly #options: BinanceSessionOptions;
  readonly #text: StreamText;
  readonly #limiter: MessageLimiter;
  #isCombined: boolean;
  #pingMs: number;
  /** PINGs that were not answered yet, by what they carry. */
  readonly #pings = new Map<string, number>();

  constructor(options: BinanceSessionOptions) {
    const { rules, connection } = options;
    this.#options = options;
    this.#text = streamText(options);
    this.#limiter = new MessageLimiter({ max: rules.messagesPerSecond, windowMs: 1_000 });
    this.#isCombined = options.isCombined;
    this.#pingMs = connection.openedMs + rules.pingEveryMs;
  }

  /** Streams of the URL are subscribed to without a word. */
  start(): void {
    this.#subscribe(this.#options.streams);
  }

  onMessage(text: string): void {
    const { connection } = this.#options;
    if (!this.#admit()) return;
    const request = parseStreamRequest(text);
    if ("code" in request) return this.#answer(request);
    const { method, params, id } = request;
    switch (method) {
      case "SUBSCRIBE":
      case "UNSUBSCRIBE": {
        const names = params.filter((each) => typeof each === "string");
        if (names.length < params.length || names.length === 0) {
          return this.#answer({ code: 2, msg: "Invalid request: params must be stream names", id });
        }
        if (method === "UNSUBSCRIBE") names.forEach((name) => connection.unsubscribe(name));
        // The answer comes first, as it does when the streams have something to say at once.
        this.#answer({ result: null, id });
        if (method === "SUBSCRIBE") this.#subscribe(names);
        return;
      }
      case "LIST_SUBSCRIPTIONS":
        return this.#answer({ result: [...connection.subscriptions.keys()], id });
      case "SET_PROPERTY":
      case "GET_PROPERTY":
        return this.#answer(this.#property(method, params, id));
    }
  }

  onControl(kind: "ping" | "pong", data: Buffer): void {
    if (!this.#admit() || kind === "ping") return;
    const sentMs = this.#pings.get(data.toString());
    if (sentMs === undefined) return;
    // A PONG answers its PING and those before it.
    for (const [payload, eachMs] of this.#pings) if (eachMs <= sentMs) this.#pings.delete(payload);
  }

  tick(nowMs: number): void {
    const { connection, rules } = this.#options;
    const [oldestMs] = this.#pings.values();
    if (oldestMs !== undefined && nowMs - oldestMs > rules.pongWithinMs) {
      return connection.close(POLICY_CODE, "Pong timeout");
    }
    if (nowMs < this.#pingMs) return;
    this.#pingMs = nowMs + rules.pingEveryMs;
    this.#pings.set(String(nowMs), nowMs);
    connection.ping(String(nowMs));
  }

  wrap(name: string, payload: string): string {
    return this.#isCombined ? `{"stream":${JSON.stringify(name)},"data":${payload}}` : payload;
  }

  shutdownNotice(nowMs: number): string {
    return this.wrap("!serverShutdown", JSON.stringify({ e: "serverShutdown", E: this.#text.time(nowMs) }));
  }

  #subscribe(names: readonly string[]): void {
    const { connection, rules, category, isSpot, markets, injector } = this.#options;
    const { faults } = connection;
    const nowMs = connection.nowMs();
    for (const name of names) {
      const opened = openStream(name, {
        markets,
        injector,
        faults,
        isSpot,
        text: this.#text,
        fromMs: nowMs,
      });
      // What does not exist, or is served on another path, is acknowledged like all others.
      const isServed = opened !== undefined && (category === "any" || category === opened.category);
      const topic = opened?.topic ?? unknownTopic(name);
      const key = `${connection.number} ${nowMs}`;
      const isSilent = isServed && faults.strike("ws_silent", topic, { key, nowMs }) !== undefined;
      connection.subscribe({ name, topic, feed: isServed && !isSilent ? opened.feed : SILENT_FEED });
    }
    if (connection.subscriptions.size > rules.streamsMax) {
      connection.close(POLICY_CODE, `Too many streams, at most ${rules.streamsMax}`);
    }
  }

  #property(method: string, params: readonly unknown[], id: RequestId): object {
    const [name, value] = params;
    if (name !== "combined") return { code: 0, msg: "Unknown property", id };
    if (method === "GET_PROPERTY") return { result: this.#isCombined, id };
    if (typeof value !== "boolean") return { code: 1, msg: "Invalid value type: expected Boolean", id };
    this.#isCombined = value;
    return { result: null, id };
  }

  #admit(): boolean {
    const { connection } = this.#options;
    if (this.#limiter.admit(connection.nowMs())) return true;
    connection.close(POLICY_CODE, "Too many requests");
    return false;
  }

  #answer(answer: StreamRefusal | object): void {
    this.#options.connection.send(JSON.stringify(answer));
  }
}

function unknownTopic(name: string): Topic {
  return { market: undefined, channel: name.slice(name.indexOf("@") + 1), kind: "other" };
}
