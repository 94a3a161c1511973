import { describe, expect, it } from "vitest";
import { decodeFrame } from "../../../../src/exchanges/binance/decode-stream.js";

const CHANNEL = { kind: "trades", nativeSymbol: "BTCUSDT" } as const;

describe("a frame of Binance's streams", () => {
  it("takes no single fill for an aggregated trade: their ids count apart", () => {
    const frame = JSON.stringify({
      stream: "btcusdt@aggTrade",
      data: {
        e: "trade",
        E: 1_672_515_782_136,
        s: "BTCUSDT",
        t: 12_345,
        p: "16567.10",
        q: "0.001",
        T: 1_672_515_782_136,
        m: true,
        M: true,
      },
    });

    expect(decodeFrame(frame, () => CHANNEL)).toEqual([
      {
        kind: "malformed",
        topic: "btcusdt@aggTrade",
        path: "$.data.e",
        detail: 'an event of another kind: "trade"',
      },
    ]);
  });

  it("reads a raw trade on its own stream, and no aggregated one there", () => {
    const data = {
      E: 1_672_515_782_136,
      s: "BTCUSDT",
      p: "16567.10",
      q: "0.001",
      T: 1_672_515_782_136_007,
      m: true,
    };
    const frame = (event: object) => JSON.stringify({ stream: "btcusdt@trade", data: { ...data, ...event } });
    expect(decodeFrame(frame({ e: "trade", t: 12_345 }), () => CHANNEL)).toMatchObject([
      {
        kind: "trades",
        topic: "btcusdt@trade",
        candidates: [
          {
            id: 12_345,
            firstFillId: 12_345,
            lastFillId: 12_345,
            timeMs: 1_672_515_782_136,
            microsecond: 7,
            price: "16567.10",
            qty: "0.001",
            side: "sell",
          },
        ],
      },
    ]);
    expect(decodeFrame(frame({ e: "aggTrade", a: 7, f: 1, l: 2 }), () => CHANNEL)).toMatchObject([
      { kind: "malformed", path: "$.data.e" },
    ]);
  });
});
