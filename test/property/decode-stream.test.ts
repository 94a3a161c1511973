// Frames with something wrong in them, made from right ones: whatever a server sends, reading it ends, and what comes out is a
// record of a channel somebody subscribed to with fields of the types they should have, or a word about what is wrong.
import { existsSync, readFileSync } from "node:fs";
import { gunzipSync } from "node:zlib";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { createBinanceDialect, SPOT_STREAMS, USDM_STREAMS } from "../../src/exchanges/binance/stream.js";
import type { LiveChannel, LiveDialect, LiveMessage } from "../../src/exchanges/live.js";
import { OrderBook } from "../../src/pipeline/fold/order-book.js";
import { scanFrame as scanBinance } from "../../src/exchanges/binance/scan-frame.js";
import { scanFrame as scanOkx } from "../../src/exchanges/okx/scan-frame.js";
import { createOkxDialect } from "../../src/exchanges/okx/stream.js";

const OKX_DIALECT = createOkxDialect("raw");

interface Sample {
  readonly topic: string;
  readonly channel: LiveChannel;
  readonly frame: object;
}

const BINANCE: readonly Sample[] = [
  {
    topic: "btcusdt@aggTrade",
    channel: { kind: "trades", nativeSymbol: "BTCUSDT" },
    frame: {
      stream: "btcusdt@aggTrade",
      data: {
        e: "aggTrade",
        E: 1_672_515_782_136,
        s: "BTCUSDT",
        a: 164_325,
        p: "16567.10",
        q: "0.001",
        f: 100,
        l: 105,
        T: 1_672_515_782_130,
        m: true,
        M: true,
      },
    },
  },
  {
    topic: "btcusdt@depth@100ms",
    channel: { kind: "book", nativeSymbol: "BTCUSDT" },
    frame: {
      stream: "btcusdt@depth@100ms",
      data: {
        e: "depthUpdate",
        E: 1_672_515_782_136,
        s: "BTCUSDT",
        U: 157,
        u: 160,
        b: [["16567.10", "1.5"]],
        a: [["16568.00", "0"]],
      },
    },
  },
  {
    topic: "btcusdt@kline_1m",
    channel: { kind: "candles", nativeSymbol: "BTCUSDT", timeframe: "1m" },
    frame: {
      stream: "btcusdt@kline_1m",
      data: {
        e: "kline",
        E: 1_672_515_840_001,
        s: "BTCUSDT",
        k: {
          t: 1_672_515_780_000,
          T: 1_672_515_839_999,
          s: "BTCUSDT",
          i: "1m",
          f: 100,
          L: 200,
          o: "16567.10",
          c: "16570.00",
          h: "16571.00",
          l: "16560.00",
          v: "12.5",
          n: 100,
          x: true,
          q: "207000.1",
          V: "6",
          Q: "99000",
          B: "0",
        },
      },
    },
  },
];

const OKX: readonly Sample[] = [
  {
    topic: "trades-all:BTC-USDT",
    channel: { kind: "trades", nativeSymbol: "BTC-USDT" },
    frame: {
      arg: { channel: "trades-all", instId: "BTC-USDT" },
      data: [
        {
          instId: "BTC-USDT",
          tradeId: "130639474",
          px: "42219.9",
          sz: "0.12060306",
          side: "buy",
          ts: "1630048897897",
          source: "0",
        },
      ],
    },
  },
  {
    topic: "books:BTC-USDT",
    channel: { kind: "book", nativeSymbol: "BTC-USDT" },
    frame: {
      arg: { channel: "books", instId: "BTC-USDT" },
      action: "update",
      data: [
        {
          asks: [["8476.98", "415", "0", "13"]],
          bids: [["8476.97", "256", "0", "12"]],
          ts: "1597026383085",
          checksum: -855_196_043,
          prevSeqId: 123_456,
          seqId: 123_457,
        },
      ],
    },
  },
  {
    topic: "candle1m:BTC-USDT",
    channel: { kind: "candles", nativeSymbol: "BTC-USDT", timeframe: "1m" },
    frame: {
      arg: { channel: "candle1m", instId: "BTC-USDT" },
      data: [
        ["1597026360000", "8533.02", "8553.74", "8527.17", "8548.26", "45247", "529.5858061", "529", "1"],
      ],
    },
  },
];

const VENUES: readonly (readonly [string, LiveDialect, readonly Sample[]])[] = [
  ["binance", createBinanceDialect(SPOT_STREAMS), BINANCE],
  ["binanceusdm", createBinanceDialect(USDM_STREAMS), BINANCE],
  ["okx", OKX_DIALECT, OKX],
];

/** Every place in a value that can be changed, as the keys that lead there. */
function placesOf(value: unknown, path: readonly string[] = []): (readonly string[])[] {
  if (typeof value !== "object" || value === null) return [path];
  return [path, ...Object.entries(value).flatMap(([key, inner]) => placesOf(inner, [...path, key]))];
}

/** The value with `change` made at `path`; undefined takes the place out. */
function changed(value: unknown, path: readonly string[], change: unknown): unknown {
  const [key, ...rest] = path;
  if (key === undefined) return change;
  const copy: Record<string, unknown> | unknown[] = Array.isArray(value)
    ? [...(value as unknown[])]
    : { ...(value as Record<string, unknown>) };
  (copy as Record<string, unknown>)[key] = changed((value as Record<string, unknown>)[key], rest, change);
  return copy;
}

const anything = fc.oneof(
  fc.constant(undefined),
  fc.constant(null),
  fc.boolean(),
  fc.integer(),
  fc.double(),
  fc.string(),
  fc.constantFrom("NaN", "Infinity", "1e5", "-1", "0x10", "", " 1 ", "99999999999999999999", "1,5"),
  fc.array(fc.anything({ maxDepth: 2 }), { maxLength: 3 }),
  fc.object({ maxDepth: 2 }),
);

const isText = (value: unknown): boolean => typeof value === "string";
const isCountOrNone = (value: unknown): boolean => value === undefined || Number.isSafeInteger(value);
const isTextOrNone = (value: unknown): boolean => value === undefined || isText(value);

/** Fails unless each message is one that a follower of `sample` may be handed. */
function expectSound(messages: readonly LiveMessage[], sample: Sample): void {
  for (const message of messages) {
    switch (message.kind) {
      case "trades":
        expect(message.topic).toBe(sample.topic);
        for (const { id, firstFillId, lastFillId, timeMs, price, qty, side } of message.candidates) {
          expect([id, firstFillId, lastFillId, timeMs].every(isCountOrNone)).toBe(true);
          expect([price, qty].every(isTextOrNone)).toBe(true);
          expect([undefined, "buy", "sell"]).toContain(side);
        }
        break;
      case "book": {
        expect(message.topic).toBe(sample.topic);
        const { firstId, lastId, previousId, timeMs, bids, asks, nativeSymbol } = message.update;
        expect(nativeSymbol).toBe(sample.channel.nativeSymbol);
        expect([firstId, lastId].every(Number.isSafeInteger)).toBe(true);
        expect([previousId, timeMs].every(isCountOrNone)).toBe(true);
        // Levels are looked at one by one where each is read anyway: by the book, which refuses what is none.
        const isSound = [...bids, ...asks].every(
          (level) => Array.isArray(level) && level.slice(0, 2).every(isText) && level.length >= 2,
        );
        const fault = new OrderBook().apply(bids, asks);
        if (!isSound) expect(fault).toBeDefined();
        break;
      }
      case "candle": {
        expect(message.topic).toBe(sample.topic);
        expect(typeof message.isClosed).toBe("boolean");
        const { openTimeMs, open, high, low, close, volume } = message.candidate;
        expect(isCountOrNone(openTimeMs)).toBe(true);
        expect([open, high, low, close, volume].every(isTextOrNone)).toBe(true);
        break;
      }
      case "malformed":
        expect(message.path.startsWith("$")).toBe(true);
        expect(message.detail).not.toBe("");
        break;
      default:
        break;
    }
  }
}

describe.each(VENUES)("%s", (_venue, dialect, samples) => {
  const channelOf = (topic: string): LiveChannel | undefined =>
    samples.find((sample) => sample.topic === topic)?.channel;
  const sampleOf = (index: number): Sample => samples[index % samples.length] as Sample;

  it("reads the samples themselves", () => {
    for (const sample of samples) {
      const messages = dialect.decode(JSON.stringify(sample.frame), channelOf);
      expect(messages.map(({ kind }) => kind)).toEqual([
        sample.channel.kind === "candles" ? "candle" : sample.channel.kind,
      ]);
      expectSound(messages, sample);
    }
  });

  it("never believes a field of another type, and never throws", () => {
    const check = (which: number, where: number, value: unknown): void => {
      const sample = sampleOf(which);
      const places = placesOf(sample.frame);
      const path = places[where % places.length] ?? [];
      const text = JSON.stringify(changed(sample.frame, path, value)) ?? "";
      expectSound(dialect.decode(text, channelOf), sample);
    };
    fc.assert(fc.property(fc.nat(), fc.nat(), anything, check), { numRuns: 2_000 });
  });

  it("reads half a frame, or one with a piece torn out, as malformed", () => {
    const check = (which: number, from: number, length: number): void => {
      const sample = sampleOf(which);
      const text = JSON.stringify(sample.frame);
      const at = from % text.length;
      const torn = text.slice(0, at) + text.slice(at + 1 + (length % (text.length - at)));
      const messages = dialect.decode(torn, channelOf);
      expectSound(messages, sample);
      let isJson = true;
      try {
        JSON.parse(torn);
      } catch {
        isJson = false;
      }
      if (!isJson && torn !== "pong") expect(messages.map(({ kind }) => kind)).toEqual(["malformed"]);
    };
    fc.assert(fc.property(fc.nat(), fc.nat(), fc.nat(), check), { numRuns: 500 });
  });

  it("reads any text at all", () => {
    const check = (text: string): void => {
      for (const message of dialect.decode(text, channelOf))
        expect(["trades", "book", "candle"]).not.toContain(message.kind);
    };
    fc.assert(fc.property(fc.oneof(fc.json(), fc.string()), check));
  });

  it("hands nothing on of what nobody subscribed to", () => {
    for (const sample of samples) {
      const messages = dialect.decode(JSON.stringify(sample.frame), () => undefined);
      expect(messages.map(({ kind }) => kind)).toEqual(["malformed"]);
      expect(messages[0]).toMatchObject({ detail: "nobody subscribed to it" });
    }
  });

  it("hands nothing on of another market on a subscribed stream", () => {
    for (const sample of samples) {
      const elsewhere = (topic: string): LiveChannel | undefined => {
        const channel = channelOf(topic);
        return channel && { ...channel, nativeSymbol: "OTHERUSDT" };
      };
      // OKX's books and candles name their market in the topic only.
      if (dialect === OKX_DIALECT && sample.channel.kind !== "trades") continue;
      const messages = dialect.decode(JSON.stringify(sample.frame), elsewhere);
      expect(messages.map(({ kind }) => kind)).toEqual(["malformed"]);
    }
  });
});

/** What JSON.parse makes of a frame, with levels cut to price and quantity. */
function parsed(text: string): unknown {
  return JSON.parse(text, (key, value: unknown) =>
    ["asks", "bids", "a", "b"].includes(key) && Array.isArray(value)
      ? value.map((level: unknown) => (Array.isArray(level) ? level.slice(0, 2) : level))
      : value,
  );
}

describe.each([
  ["binance", scanBinance, BINANCE.filter(({ channel }) => channel.kind !== "candles"), "BINANCE.ws.1.0.gz"],
  ["okx", scanOkx, OKX.filter(({ channel }) => channel.kind === "book"), "OKX.ws.1.0.gz"],
] as const)("reading a frame of %s without JSON.parse", (venue, scan, samples, recording) => {
  const full = samples.map(({ frame }) => JSON.stringify(frame));

  it("understands the frames it is made for", () => {
    for (const text of full) expect(scan(text)).toEqual(parsed(text));
  });

  it("understands microseconds, negative numbers and the fields of the futures", () => {
    const text =
      venue === "okx"
        ? '{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"snapshot","data":[{"bids":[],"asks":[["1","2","0","1"],["3","0.5","0","2"]],"seqId":5,"prevSeqId":-1,"checksum":-12,"ts":"1"}]}'
        : '{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1672515782136123,"T":1672515782135999,"s":"BTCUSDT","U":157,"u":160,"pu":149,"b":[["1","2"],["3","4"]],"a":[]}}';
    expect(scan(text)).toEqual(parsed(text));
  });

  it("says what JSON.parse says, or nothing, whatever is changed in a frame", () => {
    const check = (which: number, where: number, value: unknown): void => {
      const sample = samples[which % samples.length] as Sample;
      const places = placesOf(sample.frame);
      const text = JSON.stringify(changed(sample.frame, places[where % places.length] ?? [], value)) ?? "";
      const scanned = scan(text);
      if (scanned !== undefined) expect(scanned).toEqual(parsed(text));
    };
    fc.assert(fc.property(fc.nat(), fc.nat(), anything, check), { numRuns: 3_000 });
  });

  it("says what JSON.parse says, or nothing, whatever characters are changed", () => {
    const check = (which: number, at: number, removed: number, inserted: string): void => {
      const text = full[which % full.length] ?? "";
      const from = at % text.length;
      const torn = text.slice(0, from) + inserted + text.slice(from + (removed % 4));
      const scanned = scan(torn);
      if (scanned !== undefined) expect(scanned).toEqual(parsed(torn));
    };
    const piece = fc.oneof(
      fc.string({ maxLength: 3 }),
      fc.constantFrom("0", "-", ".", "e5", '"', "[", "]", ",", "\\", "00", "}"),
    );
    fc.assert(fc.property(fc.nat(), fc.nat(), fc.nat(), piece, check), { numRuns: 5_000 });
  });

  it.skipIf(!existsSync(`../shared/data/recordings/${recording}`))(
    "says what JSON.parse says of every frame of a real connection",
    () => {
      const frames = gunzipSync(readFileSync(`../shared/data/recordings/${recording}`))
        .toString("utf8")
        .split("\n")
        .flatMap((line) => /^\d+\.\d+: (.*)$/.exec(line)?.[1] ?? []);
      let understood = 0;
      for (const text of frames) {
        const scanned = scan(text);
        if (scanned === undefined) continue;
        understood++;
        expect(scanned).toEqual(parsed(text));
      }
      const wanted = frames.filter((text) => /"depthUpdate"|"channel":"books"[^]*"action"/.test(text)).length;
      expect(understood).toBeGreaterThanOrEqual(wanted);
      expect(understood).toBeGreaterThan(100);
    },
  );
});
