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
});
