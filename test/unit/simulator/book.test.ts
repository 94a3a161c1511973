// The book of a simulated market as its streams tell it, applied by code that knows nothing of how it is made.
import { describe, expect, it } from "vitest";
import { defaultMarkets } from "../../../simulator/default-markets.js";
import { FaultInjector } from "../../../simulator/fault-injector.js";
import { parseFaultPlan, type FaultPlanInput } from "../../../simulator/fault-plan.js";
import { groundTruth, type GroundTruth } from "../../../simulator/ground-truth.js";
import { openStream } from "../../../simulator/binance/stream-names.js";
import { streamText } from "../../../simulator/binance/stream-time.js";
import { openChannel } from "../../../simulator/okx/stream-channels.js";
import { SimulatedMarket } from "../../../simulator/simulated-market.js";
import type { VenueName } from "../../../simulator/venue-name.js";
import type { Feed } from "../../../simulator/ws/feed.js";
import { StreamFaults } from "../../../simulator/ws/stream-faults.js";

const FROM_MS = Date.UTC(2026, 0, 1, 0, 0, 50, 37);
const MINUTE_MS = 60_000;

type Row = readonly [price: string, qty: string];

/** A book as a client without any idea of decimals would keep it. */
class NaiveBook {
  readonly bids = new Map<number, number>();
  readonly asks = new Map<number, number>();

  apply(bids: readonly Row[], asks: readonly Row[]): void {
    put(this.bids, bids);
    put(this.asks, asks);
  }

  /** Best levels first; `scale` contracts make a base unit. */
  sides(scale: number): { bids: number[][]; asks: number[][] } {
    const rows = (side: Map<number, number>, sign: number): number[][] =>
      [...side]
        .sort(([a], [b]) => sign * (a - b))
        .map(([price, qty]) => [price, Number((qty / scale).toFixed(8))]);
    return { bids: rows(this.bids, -1), asks: rows(this.asks, 1) };
  }
}

function put(side: Map<number, number>, rows: readonly Row[]): void {
  for (const [price, qty] of rows) {
    if (Number(qty) === 0) side.delete(Number(price));
    else side.set(Number(price), Number(qty));
  }
}

interface World {
  readonly markets: readonly SimulatedMarket[];
  readonly truth: GroundTruth;
  readonly injector: FaultInjector;
  readonly faults: StreamFaults;
}

function world(venue: VenueName, plan: FaultPlanInput["faults"] = [], bookStepMs = 100): World {
  const checked = parseFaultPlan({ faults: plan });
  const markets = defaultMarkets(undefined, venue).map(
    (spec, slot) =>
      new SimulatedMarket(3, { ...spec, bookLevels: 40, bookStepMs }, { venue, plan: checked, slot }),
  );
  const find = (symbol: string): SimulatedMarket => {
    const found = markets.find(({ names }) => names.includes(symbol));
    if (!found) throw new Error(`no market ${symbol}`);
    return found;
  };
  const injector = new FaultInjector(checked, 3);
  return {
    markets,
    injector,
    faults: new StreamFaults(injector, venue),
    truth: groundTruth(find, { nowMs: () => FROM_MS + 10 * MINUTE_MS, plan: checked }),
  };
}

function binanceFeed(
  venue: "binance" | "binanceusdm",
  name: string,
  { markets, injector, faults }: World,
): Feed {
  const isSpot = venue === "binance";
  const text = streamText({ isSpot, inMicroseconds: false });
  const opened = openStream(name, { markets, injector, faults, text, isSpot, fromMs: FROM_MS });
  if (!opened) throw new Error(`no stream ${name}`);
  return opened.feed;
}

function okxFeed(channel: string, instId: string, made: World, checksums = false): Feed {
  const opened = openChannel({ channel, instId }, "public", { ...made, checksums, fromMs: FROM_MS });
  if (!opened) throw new Error(`no channel ${channel}`);
  return opened.feed;
}

function* said(feed: Feed, forMs: number): Generator<unknown> {
  while (feed.dueMs <= FROM_MS + forMs)
    for (const text of feed.next()) yield JSON.parse(text.startsWith("{") ? text : `{${text}}`) as unknown;
}

function expectTrueBook(
  truth: GroundTruth,
  symbol: string,
  sequence: number,
  book: NaiveBook,
  scale = 1,
): void {
  const wanted = truth.bookAt(symbol, sequence);
  const numbers = (rows: readonly (readonly [string, string])[]): number[][] =>
    rows.map(([price, qty]) => [Number(price), Number(qty)]);
  expect(book.sides(scale)).toEqual({ bids: numbers(wanted.bids), asks: numbers(wanted.asks) });
  expect(wanted.sequence).toBe(sequence);
  expect(Number(wanted.bids[0]?.[0])).toBeLessThan(Number(wanted.asks[0]?.[0]));
}

interface DepthEvent {
  readonly U: number;
  readonly u: number;
  readonly pu: number;
  readonly b: readonly Row[];
  readonly a: readonly Row[];
}

interface BooksPush {
  readonly action: "snapshot" | "update";
  readonly data: readonly [
    {
      readonly bids: readonly Row[];
      readonly asks: readonly Row[];
      readonly prevSeqId: number;
      readonly seqId: number;
      readonly checksum: number;
    },
  ];
}

const OUTAGE = { kind: "outage", from: FROM_MS - (FROM_MS % MINUTE_MS) + MINUTE_MS, to: 0 } as const;
const threeMinutes = { ...OUTAGE, to: OUTAGE.from + 3 * MINUTE_MS };

describe("the book of a simulated market", () => {
  it.each([
    ["BTC/USDT", "btcusdt@depth@100ms", 100],
    ["SHIB/USDT", "shibusdt@depth", 100],
    ["QKC/BTC", "qkcbtc@depth@100ms", 1_000],
  ])("is told by Binance's %s stream %s event by event, ids without a hole", (symbol, stream, stepMs) => {
    const made = world("binance", [], stepMs);
    const book = new NaiveBook();
    let last: number | undefined;
    let events = 0;
    for (const event of said(binanceFeed("binance", stream, made), MINUTE_MS) as Generator<DepthEvent>) {
      if (last === undefined) {
        const { bids, asks } = made.truth.bookAt(symbol, event.U - 1);
        book.apply(bids, asks);
      } else expect(event.U).toBe(last + 1);
      expect(event.u).toBeGreaterThanOrEqual(event.U);
      last = event.u;
      book.apply(event.b, event.a);
      expectTrueBook(made.truth, symbol, event.u, book);
      events++;
    }
    expect(events).toBeGreaterThan(40);
  });

  it("is told by USDⓈ-M's stream with ids that all markets share, chained by pu", () => {
    const made = world("binanceusdm");
    const told = ["btcusdt", "ethusdt"].map((symbol) => [
      ...(said(
        binanceFeed("binanceusdm", `${symbol}@depth@100ms`, made),
        MINUTE_MS,
      ) as Generator<DepthEvent>),
    ]);
    const seen = new Set<number>();
    for (const [i, symbol] of ["BTC/USDT:USDT", "ETH/USDT:USDT"].entries()) {
      const events = told[i] ?? [];
      const book = new NaiveBook();
      let last = events[0]?.pu ?? 0;
      const start = made.truth.bookAt(symbol, last);
      book.apply(start.bids, start.asks);
      for (const { U, u, pu, b, a } of events) {
        expect(pu).toBe(last);
        expect(U).toBeGreaterThan(pu + 1);
        expect(u).toBeGreaterThanOrEqual(U);
        expect(seen.has(u)).toBe(false);
        seen.add(u);
        last = u;
        book.apply(b, a);
        expectTrueBook(made.truth, symbol, u, book);
      }
      expect(events.length).toBeGreaterThan(400);
    }
  });

  it.each([
    ["BTC/USDT", "BTC-USDT", 1],
    ["BTC/USDT:USDT", "BTC-USDT-SWAP", 100],
  ])(
    "is told by OKX's books of %s: a snapshot, then changes chained by prevSeqId",
    (symbol, instId, scale) => {
      const made = world("okx");
      const book = new NaiveBook();
      const steps = new Set<number>();
      let last: number | undefined;
      for (const { action, data } of pushes(okxFeed("books", instId, made))) {
        const [{ bids, asks, prevSeqId, seqId, checksum }] = data;
        expect(action).toBe(last === undefined ? "snapshot" : "update");
        expect(prevSeqId).toBe(last ?? -1);
        expect(checksum).toBe(0);
        if (last !== undefined) steps.add(seqId - last);
        last = seqId;
        book.apply(bids, asks);
        expectTrueBook(made.truth, symbol, seqId, book, scale);
      }
      expect(steps.size).toBeGreaterThan(10);
    },
  );

  it("stands still while the market does not trade, and OKX says so every minute", () => {
    const made = world("okx", [threeMinutes]);
    const book = new NaiveBook();
    let last = -1;
    let heartbeats = 0;
    for (const { data } of pushes(okxFeed("books", "BTC-USDT", made), 5 * MINUTE_MS)) {
      const [{ bids, asks, prevSeqId, seqId }] = data;
      expect(prevSeqId).toBe(last);
      if (seqId === prevSeqId) {
        heartbeats++;
        expect([...bids, ...asks]).toEqual([]);
      }
      last = seqId;
      book.apply(bids, asks);
      expectTrueBook(made.truth, "BTC/USDT", seqId, book);
    }
    // The last change is told a tenth of a second or two before the outage: 60, 120 and 180 s after it are within.
    expect(heartbeats).toBe(3);
  });

  it("begins its sequence anew when a fault says so, for everyone, and goes on being true", () => {
    const made = world("okx", [{ kind: "ws_sequence_reset", channel: "books", nth: 30 }]);
    const book = new NaiveBook();
    let last = -1;
    const falls: number[] = [];
    for (const { data } of pushes(okxFeed("books", "BTC-USDT", made), MINUTE_MS / 3)) {
      const [{ bids, asks, prevSeqId, seqId }] = data;
      expect(prevSeqId).toBe(last);
      if (seqId < prevSeqId) falls.push(seqId);
      last = seqId;
      book.apply(bids, asks);
      expectTrueBook(made.truth, "BTC/USDT", seqId, book);
    }
    expect(falls).toEqual([3]);
    const [snapshot] = [...pushes(okxFeed("books", "BTC-USDT", made), 0)];
    expect(snapshot?.data[0].prevSeqId).toBe(-1);
  });

  it("carries OKX's checksum of the best 25 levels when asked to", () => {
    const made = world("okx");
    const book = new NaiveBook();
    const text = new Map<number, string>();
    for (const { data } of pushes(okxFeed("books", "BTC-USDT", made, true), MINUTE_MS / 6)) {
      const [{ bids, asks, checksum }] = data;
      book.apply(bids, asks);
      for (const [price, qty] of [...bids, ...asks]) text.set(Number(price), `${price}:${qty}`);
      const sides = book.sides(1);
      const parts = Array.from({ length: 25 }, (_, i) => [sides.bids[i], sides.asks[i]]).flat();
      const joined = parts.flatMap((level) => (level ? [text.get(level[0] ?? 0)] : [])).join(":");
      expect(checksum).toBe(signedCrc32(joined));
    }
    // From OKX's own rule: a known pair of text and value shows that the sum below is the right one.
    expect(signedCrc32("3366.1:7:3366.8:9:3366:6:3368:8")).toBe(-1881014294);
  });

  it("shows the middle of the book where trades happen", () => {
    const { truth } = world("binance");
    for (const trade of truth.trades("BTC/USDT", FROM_MS, FROM_MS + 5 * MINUTE_MS)) {
      const sequence = truth.bookSequenceAt("BTC/USDT", trade.timeMs) ?? 0;
      const { bids, asks } = truth.bookAt("BTC/USDT", sequence, 1);
      const middle = (Number(bids[0]?.[0]) + Number(asks[0]?.[0])) / 2;
      expect(Math.abs(Number(trade.price) / middle - 1)).toBeLessThan(0.001);
    }
  });
});

function pushes(feed: Feed, forMs = MINUTE_MS): Generator<BooksPush> {
  return said(feed, forMs) as Generator<BooksPush>;
}

/** CRC32 bit by bit, as a signed integer. */
function signedCrc32(text: string): number {
  let crc = -1;
  for (const byte of Buffer.from(text)) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc >>> 1) ^ (crc & 1 ? 0xedb88320 : 0);
  }
  return ~crc;
}

// A client that starts from a page of REST applies the change that reaches across it: levels that moved there and back between
// its two ends have to be in it.
it.each(["binance", "okx"] as const)("%s: a change continues every state between its two ends", (venue) => {
  const { markets } = world(venue, [], 1_000);
  let checked = 0;
  for (const { book } of markets) {
    const first = book.stepAt(FROM_MS) ?? NaN;
    for (let from = first; from < first + 600; from++) {
      for (const span of [2, 3, 10, 40]) {
        for (const middle of new Set([from + 1, from + Math.floor(span / 2)])) {
          const sides = { bids: new Map<number, number>(), asks: new Map<number, number>() };
          for (const state of [book.at(middle), book.changes(from, from + span)])
            for (const side of ["bids", "asks"] as const)
              for (const { ticks, lots } of state[side])
                if (lots === 0) sides[side].delete(ticks);
                else sides[side].set(ticks, lots);
          const wanted = book.at(from + span);
          for (const side of ["bids", "asks"] as const)
            if (
              sides[side].size !== wanted[side].length ||
              wanted[side].some(({ ticks, lots }) => sides[side].get(ticks) !== lots)
            )
              throw new Error(`${side}: from ${from} to ${from + span} over ${middle}`);
          checked++;
        }
      }
    }
  }
  expect(checked).toBeGreaterThan(1_000);
});
