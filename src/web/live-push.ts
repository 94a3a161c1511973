// The stream: what happens, to whoever has subscribed to it. Each message is made once for all who get it; nothing is made
// that nobody wants; a slow client loses its own messages and holds up nobody.
//
//   hub (this process' streams, commits) ──trades, candles──┐
//   hub ──prices, books, four times a second────────────────┼──> clients
//   store ──gaps, tasks, checks, once a second──────────────┘
import type { WebSocket } from "ws";
import type { Clock } from "../core/clock.js";
import { systemClock } from "../core/clock.js";
import type { Candle as StoredCandle } from "../core/model/candle.js";
import { formatMarketName } from "../core/model/market.js";
import type { Trade as LiveTrade } from "../core/model/trade.js";
import { formatTime } from "../core/time.js";
import type { Timeframe } from "../core/timeframe.js";
import type { LiveHub } from "../pipeline/live-hub.js";
import type { Store, StoredMarket } from "../store/store.js";
import {
  STREAM_CHANNELS,
  streamRequestSchema,
  type Candle,
  type Status,
  type StreamChannel,
  type StreamMessage,
  type Trade,
} from "./contract.js";
import type { MarketDirectory } from "./market-directory.js";
import { ApiProblem, problemOfIssues } from "./problem.js";
import { RecordWatch } from "./record-watch.js";
import type { StatusBoard } from "./status-board.js";
import { StreamClient } from "./stream-client.js";

export interface LivePushParts {
  readonly store: Store;
  readonly hub: LiveHub;
  readonly directory: MarketDirectory;
  readonly status: StatusBoard;
  /** By which the data are new or old. */
  readonly clock: Clock;
  readonly version: string;
  /** Says what a client did wrong, and counts it where it happens again and again. */
  readonly mention: (kind: string, detail: string) => void;
  readonly clientsMax: number;
  /** Bytes waiting for one client; beyond it messages are dropped. */
  readonly clientBytesMax: number;
}

/** Faster than this no eye follows a price or a book. */
const LOOK_EVERY_MS = 250;
const RECORDS_EVERY_MS = 1_000;
const STATUS_EVERY_MS = 3_000;
const PING_EVERY_MS = 30_000;
const BOOK_LEVELS = 25;
/** Requests of one client in a while; a person changing pages makes a dozen. */
const REQUESTS_MAX = 200;
const REQUESTS_OVER_MS = 10_000;

const CLOSE_POLICY = 1008;
const CLOSE_GOING_AWAY = 1001;

export class LivePush {
  readonly #parts: LivePushParts;
  readonly #clients = new Set<StreamClient>();
  readonly #timers: NodeJS.Timeout[] = [];
  readonly #records: RecordWatch;
  /** The last sequence of each book that was sent; undefined: that there is none. */
  readonly #booksSent = new Map<number, number | undefined>();
  readonly #names = new Map<number, string>();
  #unwatch: (() => void) | undefined;
  #lostTotal = 0;

  constructor(parts: LivePushParts) {
    this.#parts = parts;
    this.#records = new RecordWatch({
      store: parts.store,
      tell: (channel, message, market) => this.#toSubscribers(channel, message, market),
    });
  }

  get isFull(): boolean {
    return this.#clients.size >= this.#parts.clientsMax;
  }

  state(): Status["stream"] {
    return {
      clients: this.#clients.size,
      clients_max: this.#parts.clientsMax,
      messages_lost: this.#lostTotal,
    };
  }

  start(): void {
    const every = (periodMs: number, work: () => void): void => {
      this.#timers.push(setInterval(work, periodMs).unref());
    };
    every(LOOK_EVERY_MS, () => {
      if (this.#clients.size === 0) return;
      this.#tellPrices();
      this.#tellBooks();
    });
    every(RECORDS_EVERY_MS, () => {
      this.#records.look(new Set(STREAM_CHANNELS.filter((channel) => this.#isWanted(channel))));
      this.#checkClients();
    });
    every(STATUS_EVERY_MS, () => void this.#tellStatus());
    every(PING_EVERY_MS, () => this.#pingAll());
  }

  close(): void {
    for (const timer of this.#timers) clearInterval(timer);
    this.#unwatch?.();
    for (const { socket } of this.#clients) {
      socket.close(CLOSE_GOING_AWAY, "tickwell stops");
      socket.terminate();
    }
    this.#clients.clear();
  }

  add(socket: WebSocket): void {
    const { clock, version, clientBytesMax, mention } = this.#parts;
    const client = new StreamClient({ socket, clock: systemClock, bytesMax: clientBytesMax });
    this.#clients.add(client);
    this.#unwatch ??= this.#watchHub();
    let requests = 0;
    let sinceMs = systemClock.nowMs();
    // Malformed frames, oversized ones, broken connections: the socket closes by itself.
    socket.on("error", (error) => mention("a stream client", error.message));
    socket.on("pong", () => (client.isAlive = true));
    socket.on("close", () => this.#remove(client));
    socket.on("message", (data: Buffer, isBinary: boolean) => {
      const nowMs = systemClock.nowMs();
      if (nowMs - sinceMs > REQUESTS_OVER_MS) {
        requests = 0;
        sinceMs = nowMs;
      }
      if (isBinary || ++requests > REQUESTS_MAX) {
        mention("a stream client", isBinary ? "sent a binary frame" : "asked too often");
        socket.close(CLOSE_POLICY, isBinary ? "text frames only" : "too many requests");
        return;
      }
      void this.#onRequest(client, data.toString("utf8"));
    });
    void this.#parts.directory
      .all()
      .catch(() => [])
      .then((markets) =>
        client.answer({
          type: "hello",
          version,
          is_simulated: markets.some(({ isSimulated }) => isSimulated),
          time: formatTime(clock.nowMs()),
          channels: [...STREAM_CHANNELS],
        }),
      );
  }

  #remove(client: StreamClient): void {
    this.#clients.delete(client);
    if (this.#clients.size > 0) return;
    this.#unwatch?.();
    this.#unwatch = undefined;
    this.#booksSent.clear();
  }

  async #onRequest(client: StreamClient, text: string): Promise<void> {
    let id: string | number | null = null;
    try {
      const json = jsonOf(text);
      const parsed = streamRequestSchema.safeParse(json);
      if (!parsed.success) throw problemOfIssues(parsed.error);
      const request = parsed.data;
      id = request.id ?? null;
      if (request.op === "ping") {
        client.answer({ type: "pong", id, time: formatTime(this.#parts.clock.nowMs()) });
        return;
      }
      const { op, channel, markets } = request;
      const ids = await this.#idsOf(markets);
      if (op === "subscribe") client.subscribe(channel, ids);
      else client.unsubscribe(channel, ids);
      client.answer({
        type: op === "subscribe" ? "subscribed" : "unsubscribed",
        id,
        channel,
        markets,
      });
      if (op === "subscribe") this.#tellNow(client, channel, ids);
    } catch (error) {
      const problem =
        error instanceof ApiProblem ? error : new ApiProblem(503, "the database does not answer");
      client.answer({
        type: "error",
        id,
        detail: problem.message,
        parameter: problem.parameter ?? null,
        nearest: [...(problem.nearest ?? [])],
      });
    }
  }

  async #idsOf(names: readonly string[]): Promise<readonly number[] | "all"> {
    if (names.includes("*")) return "all";
    const ids: number[] = [];
    for (const name of names) ids.push((await this.#parts.directory.find(name, "markets")).id);
    return ids;
  }

  /** What a new subscriber would otherwise wait for until it changes. */
  #tellNow(client: StreamClient, channel: StreamChannel, ids: readonly number[] | "all"): void {
    const { hub } = this.#parts;
    const all = (): number[] => hub.feeds().flatMap((feed) => feed.markets().map(({ market }) => market.id));
    if (channel === "prices") {
      const message = this.#pricesOf(ids === "all" ? all() : ids);
      if (message) client.offer("prices", JSON.stringify(message), { markets: [] });
    }
    if (channel === "book") for (const id of ids === "all" ? all() : ids) this.#booksSent.delete(id);
    if (channel === "status") void this.#tellStatus();
  }

  // ── from the hub ──────────────────────────────────────────────────────────────────────────────────────────────────

  #watchHub(): () => void {
    return this.#parts.hub.watch({
      wants: (marketId) => {
        for (const client of this.#clients) if (client.wants("trades", marketId)) return true;
        return false;
      },
      trades: (market, trades, dropped) => this.#tellTrades(market, trades, dropped),
      candles: (marketId, timeframe, source, candles) =>
        this.#tellCandles(marketId, timeframe, source, candles),
    });
  }

  #tellTrades(market: StoredMarket, trades: readonly LiveTrade[], dropped: number): void {
    const name = formatMarketName(market);
    const message: StreamMessage = { type: "trades", market: name, data: trades.map(toTrade) };
    const text = JSON.stringify(message);
    for (const client of this.#clients) {
      if (!client.wants("trades", market.id)) continue;
      if (dropped > 0) client.lose("trades", [name], dropped);
      this.#lostTotal += dropped + client.offer("trades", text, { markets: [name], messages: trades.length });
    }
  }

  #tellCandles(
    marketId: number,
    timeframe: Timeframe,
    source: string,
    candles: readonly StoredCandle[],
  ): void {
    if (!this.#isWanted("candles")) return;
    const name = this.#nameOf(marketId);
    if (name === undefined) return;
    const message: StreamMessage = {
      type: "candles",
      market: name,
      timeframe,
      data: candles.map((candle) => toCandle(candle, source)),
    };
    this.#toSubscribers("candles", message, { id: marketId, name });
  }

  #tellPrices(): void {
    const { hub } = this.#parts;
    if (!this.#isWanted("prices")) return;
    const changed = hub.takeChanged();
    if (changed.length === 0) return;
    const forAll = this.#pricesOf(changed);
    const textForAll = JSON.stringify(forAll);
    for (const client of this.#clients) {
      const wanted = client.wanted("prices");
      if (wanted === undefined) continue;
      if (wanted === "all") {
        if (forAll) this.#lostTotal += client.offer("prices", textForAll, { markets: [] });
        continue;
      }
      const own = this.#pricesOf(changed.filter((id) => wanted.has(id)));
      if (own) this.#lostTotal += client.offer("prices", JSON.stringify(own), { markets: [] });
    }
  }

  #pricesOf(ids: readonly number[]): StreamMessage | undefined {
    const { hub, clock } = this.#parts;
    const data = ids.flatMap((id): [string, string, number][] => {
      const price = hub.price(id);
      const name = this.#nameOf(id);
      return price && name !== undefined ? [[name, price.price, price.timeMs]] : [];
    });
    return data.length === 0 ? undefined : { type: "prices", time: formatTime(clock.nowMs()), data };
  }

  #tellBooks(): void {
    if (!this.#isWanted("book")) return;
    for (const id of this.#bookIds()) {
      const found = this.#parts.hub.book(id, BOOK_LEVELS);
      const name = this.#nameOf(id);
      if (!found || name === undefined) continue;
      const { book } = found;
      if (this.#booksSent.has(id) && this.#booksSent.get(id) === book?.sequence) continue;
      this.#booksSent.set(id, book?.sequence);
      const message: StreamMessage = {
        type: "book",
        market: name,
        book: book
          ? {
              time: formatTime(book.timeMs),
              sequence: book.sequence,
              is_valid: true,
              bids: book.bids.map(([price, qty]) => [price, qty]),
              asks: book.asks.map(([price, qty]) => [price, qty]),
            }
          : null,
        detail: book ? null : "not synchronised; it is fetched anew",
      };
      this.#toSubscribers("book", message, { id, name });
    }
  }

  /** Of all books somebody wants. */
  #bookIds(): Set<number> {
    const ids = new Set<number>();
    for (const client of this.#clients) {
      const wanted = client.wanted("book");
      if (wanted === undefined) continue;
      if (wanted === "all") {
        for (const feed of this.#parts.hub.feeds())
          for (const { market } of feed.markets()) ids.add(market.id);
        return ids;
      }
      for (const id of wanted) ids.add(id);
    }
    return ids;
  }

  // ── from the rest ─────────────────────────────────────────────────────────────────────────────────────────────────

  async #tellStatus(): Promise<void> {
    if (!this.#isWanted("status")) return;
    // May write or not is a question of the request's token; the stream changes nothing.
    const status = await this.#parts.status.get(false).catch(() => undefined);
    if (status) this.#toSubscribers("status", { type: "status", status }, undefined);
  }

  /** @param market undefined: of no market, for every subscriber of the channel */
  #toSubscribers(
    channel: StreamChannel,
    message: StreamMessage,
    market: { readonly id: number; readonly name: string } | undefined,
  ): void {
    let text: string | undefined;
    for (const client of this.#clients) {
      if (market ? !client.wants(channel, market.id) : client.wanted(channel) === undefined) continue;
      text ??= JSON.stringify(message);
      this.#lostTotal += client.offer(channel, text, { markets: market ? [market.name] : [] });
    }
  }

  #isWanted(channel: StreamChannel): boolean {
    for (const client of this.#clients) if (client.wanted(channel) !== undefined) return true;
    return false;
  }

  #checkClients(): void {
    for (const client of this.#clients) {
      if (client.check()) continue;
      this.#parts.mention("a stream client", "has read nothing for a minute and is let go");
      client.socket.terminate();
    }
  }

  #pingAll(): void {
    for (const client of this.#clients) {
      if (!client.isAlive) client.socket.terminate();
      client.isAlive = false;
      if (client.socket.readyState === client.socket.OPEN) client.socket.ping();
    }
  }

  #nameOf(marketId: number): string | undefined {
    const known = this.#names.get(marketId);
    if (known !== undefined) return known;
    const { hub, directory } = this.#parts;
    const market = hub.streams(marketId)?.market ?? directory.known(marketId);
    if (!market) return undefined;
    const name = formatMarketName(market);
    this.#names.set(marketId, name);
    return name;
  }
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw new ApiProblem(400, "the message is no JSON");
  }
}

function toTrade(trade: LiveTrade): Trade {
  return {
    time: timeOf(trade),
    trade_id: trade.id,
    price: trade.price,
    quantity: trade.qty,
    side: trade.side,
    fills: trade.lastFillId - trade.firstFillId + 1,
  };
}

/** As the store writes it: milliseconds and microseconds only where there are any. */
function timeOf({ timeMs, microsecond }: LiveTrade): string {
  const time = formatTime(timeMs);
  if (microsecond === 0) return time;
  const whole = time.includes(".") ? time.slice(0, -1) : `${time.slice(0, -1)}.000`;
  return `${whole}${String(microsecond).padStart(3, "0")}Z`;
}

function toCandle(candle: StoredCandle, source: string): Candle {
  return {
    open_time: formatTime(candle.openTimeMs),
    open: candle.open,
    high: candle.high,
    low: candle.low,
    close: candle.close,
    volume: candle.volume,
    quote_volume: candle.quoteVolume ?? null,
    trade_count: candle.tradeCount ?? null,
    source,
    revision: 0,
    flags: 0,
  };
}
