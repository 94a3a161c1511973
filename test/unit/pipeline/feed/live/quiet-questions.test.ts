import { describe, expect, it } from "vitest";
import type { CandlePage } from "../../../../../src/exchanges/exchange.js";
import type { MarketStreams } from "../../../../../src/pipeline/feed/live/market-streams.js";
import { QuietQuestions } from "../../../../../src/pipeline/feed/live/quiet-questions.js";
import { BTC_USDT, minuteMs } from "../../../../support/candles.js";
import { rowsAt } from "../../gate/candidates.js";

const never = new AbortController().signal;
const CHANNEL = { kind: "candles", nativeSymbol: "BTCUSDT", timeframe: "1m" } as const;

/** An exchange that has every candle, at `nowMs`. */
function ask(parts: { nowMs: number; lastMessageMs: number; lastCandleMs: number | undefined }) {
  const asked: number[] = [];
  const questions = new QuietQuestions({
    exchange: {
      fetchCandles: async ({ fromMs, toMs }: { fromMs: number; toMs: number }): Promise<CandlePage> => {
        asked.push(fromMs);
        return { candidates: rowsAt((fromMs - minuteMs(0)) / 60_000), provenToMs: toMs, request: "/candles" };
      },
    } as never,
    exchangeClock: { nowMs: () => parts.nowMs } as never,
  });
  const streams = { market: BTC_USDT, lastCandleMs: () => parts.lastCandleMs } as unknown as MarketStreams;
  return questions.ask(streams, CHANNEL, parts.lastMessageMs, never).then((answer) => ({ answer, asked }));
}

describe("a silent stream of candles", () => {
  it("has missed a candle that closed since its last message", async () => {
    const parts = {
      nowMs: minuteMs(5) + 15_000,
      lastMessageMs: minuteMs(4) + 40_000,
      lastCandleMs: minuteMs(3),
    };
    expect(await ask(parts)).toEqual({ answer: "missed", asked: [minuteMs(4)] });
  });

  it("has missed nothing when the last candle closed before it was subscribed to", async () => {
    const parts = {
      nowMs: minuteMs(5) + 25_000,
      lastMessageMs: minuteMs(5) + 12_000,
      lastCandleMs: undefined,
    };
    expect(await ask(parts)).toEqual({ answer: "quiet", asked: [] });
  });

  it("has missed nothing when the last closed candle has come in", async () => {
    const parts = {
      nowMs: minuteMs(5) + 15_000,
      lastMessageMs: minuteMs(4) + 40_000,
      lastCandleMs: minuteMs(4),
    };
    expect(await ask(parts)).toEqual({ answer: "quiet", asked: [] });
  });
});
