import { describe, expect, it } from "vitest";
import { TickwellError, type Fault } from "../../../../../src/core/fault.js";
import type { BookPage } from "../../../../../src/core/model/book.js";
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
  const silence = { sinceMs: parts.lastMessageMs, isFromStart: false };
  return questions.ask(streams, CHANNEL, silence, never).then((answer) => ({ answer, asked }));
}

const level = (price: string): [string, string] => [price, "1"];
const pageAt = (sequence: number, bid: string | undefined): BookPage => ({
  sequence,
  timeMs: undefined,
  bids: bid === undefined ? [] : [level(bid)],
  asks: bid === undefined ? [] : [level("101")],
  request: "/book",
});

/** Asks about a book's stream that is silent while no book is held: once for each answer of REST. */
async function askWithoutBook(parts: {
  startsByItself: boolean;
  isFromStart: boolean;
  rest: readonly (BookPage | Fault)[];
}): Promise<string[]> {
  const left = [...parts.rest];
  const questions = new QuietQuestions({
    exchange: {
      live: {
        fetchBook: async (): Promise<BookPage> => {
          const next = left.shift();
          if (next && "kind" in next) throw new TickwellError(next, "refused");
          return next ?? pageAt(0, undefined);
        },
      },
    } as never,
    exchangeClock: { nowMs: () => 0 } as never,
  });
  const streams = {
    market: BTC_USDT,
    bookStartsByItself: parts.startsByItself,
    book: { top: () => undefined },
  } as unknown as MarketStreams;
  const silence = { sinceMs: 1_000, isFromStart: parts.isFromStart };
  const answers: string[] = [];
  for (const _ of parts.rest)
    answers.push(
      await questions
        .ask(streams, { kind: "book", nativeSymbol: "BTCUSDT" }, silence, never)
        .catch(() => "thrown"),
    );
  return answers;
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

describe("a silent stream of a book that is not held", () => {
  const owed = { startsByItself: true, isFromStart: true };

  it("has missed its snapshot when it was silent from the start and the exchange has a book", async () => {
    expect(await askWithoutBook({ ...owed, rest: [pageAt(7, "100")] })).toEqual(["missed"]);
  });

  it("has missed nothing when the exchange has no book either", async () => {
    expect(await askWithoutBook({ ...owed, rest: [pageAt(7, undefined)] })).toEqual(["quiet"]);
  });

  it("has missed its snapshot also while REST is in trouble, but not where the market is not there", async () => {
    const rest: Fault[] = [
      { kind: "exchange", code: "500" },
      { kind: "bad_symbol", code: "51001" },
    ];
    expect(await askWithoutBook({ ...owed, rest })).toEqual(["missed", "thrown"]);
  });

  it.each([
    ["begins with a change", { startsByItself: false, isFromStart: true }],
    ["has sent something", { startsByItself: true, isFromStart: false }],
  ])(
    "that %s has missed what the exchange's book has changed by since the first question",
    async (_, stream) => {
      const ask = (...rest: BookPage[]): Promise<string[]> => askWithoutBook({ ...stream, rest });
      expect(await ask(pageAt(7, "100"), pageAt(7, "100"))).toEqual(["unknown", "quiet"]);
      expect(await ask(pageAt(7, "100"), pageAt(8, "100"))).toEqual(["unknown", "quiet"]);
      expect(await ask(pageAt(7, "100"), pageAt(9, "99"))).toEqual(["unknown", "missed"]);
    },
  );
});
