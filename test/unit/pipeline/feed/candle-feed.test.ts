import { describe, expect, it } from "vitest";
import { TickwellError, type Fault } from "../../../../src/core/fault.js";
import type { CandleCandidate } from "../../../../src/core/model/candle.js";
import type { CandleBatch } from "../../../../src/core/model/candle-batch.js";
import { CANDLE_FLAGS } from "../../../../src/core/model/candle-flags.js";
import {
  CandleFeed,
  type CandleFeedOptions,
  type FeedRequest,
} from "../../../../src/pipeline/feed/candle-feed.js";
import { DEFAULT_VALIDATION, type OnFailure } from "../../../../src/pipeline/gate/validation.js";
import type { OpenGap, StoredMarket } from "../../../../src/store/store.js";
import { BTC_USDT, candleAt, minuteMs } from "../../../support/candles.js";
import { EagerClock } from "../../core/net/manual-clock.js";
import { rowAt } from "../gate/candidates.js";
import { ListStage, malformed, MapExchange, toMinute } from "./map-exchange.js";

const NOW_MS = minuteMs(10_000_000);
const MARKET: StoredMarket = { ...BTC_USDT, id: 5, exchange: "map", isSimulated: true };
const never = new AbortController().signal;

const between = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, i) => from + i);

interface Scene {
  readonly exchange: MapExchange;
  readonly stage: ListStage;
  readonly fetch: (
    from: number,
    to: number,
    more?: Partial<FeedRequest> & { signal?: AbortSignal },
  ) => ReturnType<CandleFeed["fetchRange"]>;
}

function sceneOf(
  minutes: Iterable<number>,
  {
    concurrency = 2,
    pageRowsMax,
    recentCandles,
  }: Partial<Pick<CandleFeedOptions, "concurrency" | "pageRowsMax" | "recentCandles">> = {},
): Scene {
  const exchange = new MapExchange(minutes);
  const stage = new ListStage();
  const feed = new CandleFeed({
    exchange,
    stage,
    exchangeClock: { nowMs: () => NOW_MS },
    concurrency,
    pageRowsMax,
    recentCandles,
    voidConfirmAfterMs: 60_000,
  });
  return {
    exchange,
    stage,
    fetch: (from, to, { signal = never, ...change } = {}) => {
      const range = { startMs: minuteMs(from), endMs: minuteMs(to) };
      const openGaps = [] as const;
      return feed.fetchRange(
        { market: MARKET, timeframe: "1m", range, openGaps, latestSeenMs: -Infinity, ...change },
        signal,
      );
    },
  };
}

function missingIn(batches: readonly CandleBatch[], reason: string): [number, number][] {
  return batches
    .flatMap(({ missing }) => missing.filter((each) => each.reason === reason))
    .map(({ startMs, endMs }): [number, number] => [toMinute(startMs), toMinute(endMs)])
    .sort(([a], [b]) => a - b);
}

function expectSpokenForOnce(stage: ListStage, from: number, to: number): void {
  const counts = [...stage.spokenFor()].sort(([a], [b]) => a - b);
  expect(counts).toEqual(between(from, to).map((minute) => [minute, 1]));
}

describe("a feed of candles", () => {
  it("fetches every candle of a range once, in as many requests as there are pages", async () => {
    const { exchange, stage, fetch } = sceneOf(between(0, 200));
    const outcome = await fetch(3, 100);
    expect(stage.candleMinutes).toEqual(between(3, 100));
    expect(exchange.asked).toHaveLength(10);
    expect(outcome).toEqual({ pages: 10, candles: 97, rejected: 0, failures: [] });
  });

  it("asks nothing for an empty range", async () => {
    const { exchange, fetch } = sceneOf(between(0, 200));
    expect(await fetch(5, 5)).toEqual({ pages: 0, candles: 0, rejected: 0, failures: [] });
    expect(exchange.asked).toEqual([]);
  });

  it("tells of each page once it is handed on", async () => {
    const { exchange, stage } = sceneOf(between(0, 25));
    const options = {
      exchange,
      stage,
      clock: new EagerClock(NOW_MS),
      exchangeClock: { nowMs: () => NOW_MS },
    };
    const feed = new CandleFeed({ ...options, concurrency: 1, voidConfirmAfterMs: 60_000 });
    const told: CandleBatch[] = [];
    const range = { startMs: minuteMs(0), endMs: minuteMs(25) };
    const request = {
      market: MARKET,
      timeframe: "1m",
      range,
      openGaps: [],
      latestSeenMs: -Infinity,
    } as const;
    await feed.fetchRange(request, never, (batch) => {
      expect(stage.batches).toContain(batch);
      told.push(batch);
    });
    expect(told).toEqual(stage.batches);
  });

  it("says of each minute once what became of it, holes and stretches without candles included", async () => {
    const { stage, fetch } = sceneOf([
      ...between(40, 45),
      ...between(48, 90),
      ...between(300, 305),
      371,
      372,
    ]);
    await fetch(0, 400);
    expectSpokenForOnce(stage, 0, 400);
    expect(stage.candleMinutes).toHaveLength(5 + 42 + 5 + 2);
  });

  it("asks for whole windows of a page's rows and never for more rows than configured", async () => {
    const { exchange, stage, fetch } = sceneOf(between(0, 50), { pageRowsMax: 7, concurrency: 1 });
    await fetch(0, 50);
    expect([...exchange.limits]).toEqual([7]);
    expect(exchange.asked.slice(1).every(([from, to]) => to - from <= 7)).toBe(true);
    expect(stage.batches.map(({ candles }) => candles.length)).toEqual([7, 7, 7, 7, 7, 7, 7, 1]);
  });

  it("asks for no more rows than the venue gives, whatever is configured", async () => {
    const { exchange, fetch } = sceneOf(between(0, 50), { pageRowsMax: 5_000 });
    await fetch(0, 50);
    expect([...exchange.limits]).toEqual([10]);
  });

  it.each([1, 3])("has %d requests under way at once, and no more", async (concurrency) => {
    const { exchange, fetch } = sceneOf(between(0, 200), { concurrency });
    await fetch(0, 200);
    expect(exchange.underWayMost).toBe(concurrency);
  });

  it("goes on behind a page that was cut before its window's end", async () => {
    const { exchange, stage, fetch } = sceneOf(between(0, 60));
    // A row sent twice takes the place of another under the limit.
    exchange.onAnswer = (page, { fromMs, limit }) => {
      const [first, ...rest] = page.candidates;
      if (!first || toMinute(fromMs) < 10) return page;
      const candidates = [first, first, ...rest].slice(0, limit);
      return { ...page, candidates, provenToMs: (candidates.at(-1)?.openTimeMs ?? NaN) + 60_000 };
    };
    await fetch(0, 60);
    expectSpokenForOnce(stage, 0, 60);
    expect(stage.candleMinutes).toEqual(between(0, 60));
  });

  it("gets everything from a venue that gives fewer rows than it is asked for", async () => {
    const { exchange, stage, fetch } = sceneOf(between(0, 60));
    exchange.onAnswer = (page, { fromMs }) => ({
      ...page,
      candidates: page.candidates.slice(0, 4),
      provenToMs: Math.min(page.provenToMs, fromMs + 4 * 60_000),
    });
    await fetch(0, 60);
    expect(stage.candleMinutes).toEqual(between(0, 60));
    expectSpokenForOnce(stage, 0, 60);
  });

  it("ends with an error, not with endless questions, when an answer speaks for nothing", async () => {
    const { exchange, fetch } = sceneOf(between(0, 30));
    exchange.onAnswer = (page, { fromMs }) => ({ ...page, provenToMs: fromMs });
    await expect(fetch(0, 30)).rejects.toThrow("speaks for nothing");
    expect(exchange.asked).toHaveLength(1);
  });
});

describe("a stretch where the exchange has nothing", () => {
  it("of years before a listing is crossed by the first request", async () => {
    const listed = 1_000_000;
    const { exchange, stage, fetch } = sceneOf(between(listed, listed + 30));
    await fetch(0, listed + 30);
    expect(exchange.asked).toHaveLength(3);
    expect(stage.candleMinutes).toEqual(between(listed, listed + 30));
    expect(missingIn(stage.batches, "absent")).toEqual([[0, listed]]);
  });

  it("in the middle costs one empty window a worker and one request to cross it", async () => {
    const { exchange, stage, fetch } = sceneOf([...between(0, 20), ...between(500_000, 500_010)], {
      concurrency: 3,
    });
    await fetch(0, 500_010);
    // The first page; the second with two empty windows beside it, perhaps a third; the jump.
    expect(exchange.asked.length).toBeLessThanOrEqual(2 + 3 + 1);
    expect(stage.candleMinutes).toHaveLength(30);
    expect(missingIn(stage.batches, "absent").reduce((sum, [from, to]) => sum + to - from, 0)).toBe(499_980);
  });

  it("to the end of the range is spoken for by one answer", async () => {
    const { exchange, stage, fetch } = sceneOf([]);
    await fetch(0, 1_000_000);
    expect(exchange.asked).toEqual([[0, 1_000_000]]);
    expect(missingIn(stage.batches, "absent")).toEqual([[0, 1_000_000]]);
  });

  it("is believed void at the second asking when later candles were shown in the same run", async () => {
    const { exchange, stage, fetch } = sceneOf([...between(0, 10), ...between(50, 60)], { concurrency: 1 });
    const gap = {
      id: 1,
      startMs: minuteMs(10),
      endMs: minuteMs(50),
      reason: "absent",
      detail: "/first",
    } as const;
    const asked = { foundMs: NOW_MS - 90_000, lastAskedMs: NOW_MS - 90_000, nextAskMs: undefined, asked: 1 };
    await fetch(0, 60, { openGaps: [{ ...gap, ...asked }], latestSeenMs: minuteMs(59) });
    const voids = stage.batches.flatMap((batch) => batch.voids);
    expect(voids.map(({ startMs, endMs }) => [toMinute(startMs), toMinute(endMs)])).toEqual([
      [10, 20],
      [20, 50],
    ]);
    expect(exchange.asked).toEqual([
      [0, 60],
      [10, 20],
      // Nothing nearer is known yet behind it.
      [7, 60],
      [20, 60],
      [17, 53],
    ]);
  });

  it("is not believed void for the sake of a refused row elsewhere in the run", async () => {
    const { exchange, stage, fetch } = sceneOf(between(0, 10), { concurrency: 1 });
    exchange.onAnswer = (page, { fromMs }) =>
      toMinute(fromMs) === 0
        ? { ...page, candidates: [...page.candidates, rowAt(9, { openTimeMs: NOW_MS - 90_001 })] }
        : page;
    const gap = {
      id: 1,
      startMs: minuteMs(10),
      endMs: minuteMs(20),
      reason: "absent",
      detail: "/first",
    } as const;
    const asked = { foundMs: NOW_MS - 90_000, lastAskedMs: NOW_MS - 90_000, nextAskMs: undefined, asked: 1 };
    await fetch(0, 20, { openGaps: [{ ...gap, ...asked }] });
    expect(stage.batches.flatMap((batch) => batch.voids)).toEqual([]);
    expect(missingIn(stage.batches, "absent")).toEqual([[10, 20]]);
  });
});

describe("a window that cannot be fetched", () => {
  it("is recorded with its reason and left out, and the others go on", async () => {
    const { exchange, stage, fetch } = sceneOf(between(0, 100));
    exchange.onRequest = ({ fromMs }) => {
      if (toMinute(fromMs) === 30) throw malformed();
    };
    const outcome = await fetch(0, 100);
    expect(stage.candleMinutes).toEqual([...between(0, 30), ...between(40, 100)]);
    expect(stage.batches.flatMap(({ missing }) => missing)).toEqual([
      {
        startMs: minuteMs(30),
        endMs: minuteMs(40),
        reason: "fetch_failed",
        detail: "the body is not JSON",
        nextAskMs: NOW_MS + 60_000,
      },
    ]);
    expect(outcome.failures.map(({ range }) => toMinute(range.startMs))).toEqual([30]);
    expect(outcome.pages).toBe(9);
    expectSpokenForOnce(stage, 0, 100);
  });

  it("is no longer alone when one follows the other: the rest is left for later, and on record", async () => {
    const { exchange, stage, fetch } = sceneOf(between(0, 1_000), { concurrency: 1 });
    exchange.onRequest = ({ fromMs }) => {
      if (toMinute(fromMs) >= 100) throw malformed();
    };
    await expect(fetch(0, 1_000)).rejects.toThrow("the body is not JSON");
    expect(exchange.asked.filter(([from]) => from >= 100)).toHaveLength(5);
    expect(stage.candleMinutes).toEqual(between(0, 100));
    expect(missingIn(stage.batches, "fetch_failed").at(-1)).toEqual([140, 1_000]);
  });

  it("is one page long even where the whole rest was asked for", async () => {
    const { exchange, stage, fetch } = sceneOf(between(0, 100));
    exchange.onRequest = ({ fromMs }) => {
      if (toMinute(fromMs) === 0) throw new TickwellError({ kind: "exchange", code: "-1000" }, "unknown");
    };
    await fetch(0, 100);
    expect(missingIn(stage.batches, "fetch_failed")).toEqual([[0, 10]]);
    expect(stage.candleMinutes).toEqual(between(10, 100));
  });

  it.each<[Fault, number]>([
    [{ kind: "network" }, NOW_MS],
    [{ kind: "timeout", timeoutMs: 1 }, NOW_MS],
    [{ kind: "rate_limit", retryAfterMs: 7_000 }, NOW_MS + 7_000],
    [{ kind: "ip_ban", untilMs: NOW_MS + 120_000 }, NOW_MS + 120_000],
    [{ kind: "geo_blocked" }, NOW_MS],
    [{ kind: "bad_symbol", code: "-1121" }, NOW_MS],
    [{ kind: "internal" }, NOW_MS],
  ])(
    "ends the run when more questions make no sense, with the whole rest on record: %j",
    async (fault, nextAskMs) => {
      const { exchange, stage, fetch } = sceneOf(between(0, 1_000), { concurrency: 1 });
      const error = new TickwellError(fault, "no");
      exchange.onRequest = ({ fromMs }) => {
        if (toMinute(fromMs) >= 50) throw error;
      };
      await expect(fetch(0, 1_000)).rejects.toBe(error);
      expect(exchange.asked).toHaveLength(6);
      expect(stage.candleMinutes).toEqual(between(0, 50));
      expect(stage.batches.flatMap(({ missing }) => missing)).toEqual([
        { startMs: minuteMs(50), endMs: minuteMs(1_000), reason: "fetch_failed", detail: "no", nextAskMs },
      ]);
    },
  );

  it("lets the others ask once more at most, when the run ends by it, and leaves nothing off the record", async () => {
    const { exchange, stage, fetch } = sceneOf(between(0, 1_000), { concurrency: 3 });
    exchange.onRequest = ({ fromMs }) => {
      if (toMinute(fromMs) === 40) throw new TickwellError({ kind: "network" }, "refused");
    };
    await expect(fetch(0, 1_000)).rejects.toThrow("refused");
    expect(exchange.asked.length).toBeLessThanOrEqual(5 + 2 * 2);
    expect(exchange.underWay).toBe(0);
    const spoken = new Set(stage.spokenFor().keys());
    expect(between(0, 1_000).filter((minute) => !spoken.has(minute))).toEqual([]);
  });

  it("is none when the run is aborted: nothing is recorded, and the reason comes out", async () => {
    const { exchange, stage, fetch } = sceneOf(between(0, 1_000));
    const stop = new AbortController();
    const reason = new Error("enough");
    exchange.onRequest = ({ fromMs }) => {
      if (toMinute(fromMs) < 50) return;
      stop.abort(reason);
      throw malformed();
    };
    await expect(fetch(0, 1_000, { signal: stop.signal })).rejects.toBe(reason);
    expect(stage.candleMinutes).toEqual(between(0, 50));
    expect(missingIn(stage.batches, "fetch_failed")).toEqual([]);
    expect(exchange.underWay).toBe(0);
  });
});

const bad = (minute: number, change: Partial<CandleCandidate> = {}): CandleCandidate =>
  rowAt(minute, { low: "0", raw: `bad ${minute}`, ...change });
const validationOf = (onFailure: OnFailure) => ({ ...DEFAULT_VALIDATION, onFailure });

/** Puts a bad row in place of the minute's own, in the first `times` answers that hold it. */
function spoil(exchange: MapExchange, minute: number, { times = Infinity, row = bad(minute) } = {}): void {
  let left = times;
  const before = exchange.onAnswer;
  exchange.onAnswer = (page, request) => {
    const answer = before(page, request);
    const isIn = answer.candidates.some(({ openTimeMs }) => openTimeMs === minuteMs(minute));
    if (!isIn || left-- <= 0) return answer;
    const candidates = answer.candidates.map((each) => (each.openTimeMs === minuteMs(minute) ? row : each));
    return { ...answer, candidates };
  };
}

describe("a refused row", () => {
  const rejectedOf = (stage: ListStage) =>
    stage.batches.flatMap(({ rejected }) => rejected.map(({ rule, raw }) => [rule, raw]));

  it("is kept in quarantine and left missing, and nothing is asked again", async () => {
    const { exchange, stage, fetch } = sceneOf(between(0, 30));
    spoil(exchange, 13);
    const outcome = await fetch(0, 30);
    expect(stage.candleMinutes).toEqual([...between(0, 13), ...between(14, 30)]);
    expect(missingIn(stage.batches, "rejected")).toEqual([[13, 14]]);
    expect(rejectedOf(stage)).toEqual([["candle.price_not_positive", "bad 13"]]);
    expect(outcome).toMatchObject({ candles: 29, rejected: 1 });
    expect(exchange.asked).toHaveLength(3);
  });

  describe("with retry", () => {
    const validation = validationOf("retry");

    it("is asked for again at once, and the clean answer is used", async () => {
      const { exchange, stage, fetch } = sceneOf(between(0, 30), { concurrency: 1 });
      spoil(exchange, 13, { times: 1 });
      await fetch(0, 30, { validation });
      expect(stage.candleMinutes).toEqual(between(0, 30));
      expect(missingIn(stage.batches, "rejected")).toEqual([]);
      expect(rejectedOf(stage)).toEqual([["candle.price_not_positive", "bad 13"]]);
      expect(exchange.asked).toEqual([
        [0, 30],
        [10, 20],
        [10, 20],
        [20, 30],
      ]);
    });

    it("is asked for twice more and no further; then it stays missing", async () => {
      const { exchange, stage, fetch } = sceneOf(between(0, 30), { concurrency: 1 });
      spoil(exchange, 13);
      await fetch(0, 30, { validation });
      expect(exchange.asked.filter(([from]) => from === 10)).toHaveLength(3);
      expect(missingIn(stage.batches, "rejected")).toEqual([[13, 14]]);
      expect(rejectedOf(stage)).toHaveLength(3);
      expectSpokenForOnce(stage, 0, 30);
    });

    it("goes on with the cleanest answer when none is clean", async () => {
      const { exchange, stage, fetch } = sceneOf(between(0, 20), { concurrency: 1 });
      spoil(exchange, 13);
      spoil(exchange, 14, { times: 1 });
      await fetch(0, 20, { validation });
      expect(missingIn(stage.batches, "rejected")).toEqual([[13, 14]]);
    });

    it("does not take an empty answer for a clean one", async () => {
      const { exchange, stage, fetch } = sceneOf(between(0, 20), { concurrency: 1 });
      spoil(exchange, 13);
      const { onAnswer } = exchange;
      let answers = 0;
      exchange.onAnswer = (page, request) =>
        toMinute(request.fromMs) === 10 && ++answers > 1
          ? { ...page, candidates: [], provenToMs: request.toMs }
          : onAnswer(page, request);
      await fetch(0, 20, { validation });
      expect(stage.candleMinutes).toEqual([...between(0, 13), ...between(14, 20)]);
      expect(missingIn(stage.batches, "absent")).toEqual([]);
    });

    it("keeps what it has when the second question fails", async () => {
      const { exchange, stage, fetch } = sceneOf(between(0, 20), { concurrency: 1 });
      spoil(exchange, 13);
      let asked = 0;
      exchange.onRequest = ({ fromMs }) => {
        if (toMinute(fromMs) === 10 && ++asked > 1) throw new TickwellError({ kind: "network" }, "refused");
      };
      const outcome = await fetch(0, 20, { validation });
      expect(stage.candleMinutes).toHaveLength(19);
      expect(outcome.failures).toEqual([]);
    });

    it("does not ask again for the forming candle that a venue adds", async () => {
      const { exchange, fetch } = sceneOf(between(0, 10));
      exchange.onAnswer = (page) => ({
        ...page,
        candidates: [...page.candidates, rowAt(toMinute(NOW_MS), { raw: "forming" })],
      });
      await fetch(0, 10, { validation });
      expect(exchange.asked).toHaveLength(1);
    });
  });

  describe("with store_and_flag", () => {
    const validation = validationOf("store_and_flag");

    it("is stored with its flag and kept in quarantine when only its figures are impossible", async () => {
      const { exchange, stage, fetch } = sceneOf(between(0, 30));
      spoil(exchange, 13);
      await fetch(0, 30, { validation });
      expect(stage.candleMinutes).toEqual(between(0, 30));
      const flags = stage.batches.flatMap((batch) => [...(batch.flags ?? [])]);
      expect(flags).toEqual([[minuteMs(13), CANDLE_FLAGS.rule_broken]]);
      expect(rejectedOf(stage)).toEqual([["candle.price_not_positive", "bad 13"]]);
      expectSpokenForOnce(stage, 0, 30);
    });

    it("goes the usual way when it cannot be read", async () => {
      const { exchange, stage, fetch } = sceneOf(between(0, 30));
      spoil(exchange, 13, { row: rowAt(13, { close: "NaN" }) });
      await fetch(0, 30, { validation });
      expect(missingIn(stage.batches, "rejected")).toEqual([[13, 14]]);
      expect(stage.batches.flatMap((batch) => [...(batch.flags ?? [])])).toEqual([]);
    });

    it("is nothing that others are measured by", async () => {
      const { exchange, stage, fetch } = sceneOf(between(0, 90), { pageRowsMax: 10 });
      // Read as a price, it would be a jump for the candle after it as well.
      spoil(exchange, 70, { row: rowAt(70, { close: "9000" }) });
      await fetch(0, 90, { validation });
      const flags = stage.batches.flatMap((batch) => [...(batch.flags ?? [])]);
      expect(flags).toEqual([[minuteMs(70), CANDLE_FLAGS.rule_broken]]);
    });

    it("does not show that the exchange has later candles", async () => {
      const { exchange, stage, fetch } = sceneOf([6], { concurrency: 1 });
      spoil(exchange, 6);
      const openGaps = [oldGap(0, 10)];
      await fetch(0, 10, { validation, openGaps });
      expect(stage.batches.flatMap(({ voids }) => voids)).toEqual([]);
    });
  });

  describe("with halt", () => {
    const validation = validationOf("halt");

    it("ends the run with words for a person; it is on record, and what came before is stored", async () => {
      const { exchange, stage, fetch } = sceneOf(between(0, 100), { concurrency: 1 });
      spoil(exchange, 23);
      const failure = await fetch(0, 100, { validation }).catch((error: unknown) => error);
      expect(failure).toBeInstanceOf(TickwellError);
      const { fault, message } = failure as TickwellError;
      expect(fault).toEqual({ kind: "validation" });
      for (const word of [
        "map:BTC/USDT 1m",
        "2024-01-01T00:23:00",
        "candle.price_not_positive",
        "low 0",
        "halt",
      ])
        expect(message).toContain(word);
      expect(stage.candleMinutes).toEqual([...between(0, 23), ...between(24, 30)]);
      expect(missingIn(stage.batches, "rejected")).toEqual([[23, 24]]);
      expect(rejectedOf(stage)).toEqual([["candle.price_not_positive", "bad 23"]]);
      expect(exchange.asked).toHaveLength(3);
    });

    it("does not end by the candle that is forming, or was a moment ago", async () => {
      const { exchange, stage, fetch } = sceneOf(between(0, 10));
      const last = toMinute(NOW_MS) - 1;
      exchange.onAnswer = (page) => ({
        ...page,
        candidates: [...page.candidates, rowAt(last, { isClosed: false }), rowAt(last + 1)],
      });
      await fetch(0, 10, { validation });
      expect(stage.candleMinutes).toEqual(between(0, 10));
    });

    it("ends by a time that is far from now", async () => {
      const { exchange, fetch } = sceneOf(between(0, 10));
      const row = rowAt(0, { openTimeMs: minuteMs(3) * 1_000 });
      exchange.onAnswer = (page) => ({ ...page, candidates: [...page.candidates, row] });
      await expect(fetch(0, 10, { validation })).rejects.toThrow("candle.not_closed");
    });
  });

  it("of a page of nothing else leaves its window missing, and the others are fetched", async () => {
    const { exchange, stage, fetch } = sceneOf(between(0, 60));
    for (const minute of between(20, 30)) spoil(exchange, minute);
    await fetch(0, 60);
    expect(stage.candleMinutes).toEqual([...between(0, 20), ...between(30, 60)]);
    expect(missingIn(stage.batches, "rejected")).toEqual([[20, 30]]);
    expectSpokenForOnce(stage, 0, 60);
  });
});

describe("a venue that makes no headway", () => {
  it("is not asked for ever: after 20 questions for each page the rest is on record and the run ends", async () => {
    const { exchange, stage, fetch } = sceneOf(between(0, 100), { concurrency: 1 });
    // A second further with every answer, and never a row.
    exchange.onAnswer = (page, { fromMs }) => ({ ...page, candidates: [], provenToMs: fromMs + 1_000 });
    const failure = await fetch(0, 100).catch((error: unknown) => error);
    expect((failure as TickwellError).fault.kind).toBe("malformed_payload");
    expect((failure as TickwellError).message).toContain("220 questions were not enough for 100 candles");
    expect(exchange.asked).toHaveLength(220);
    expect(missingIn(stage.batches, "fetch_failed").at(-1)?.[1]).toBe(100);
  });

  it("is not one that gives a single row at a time", async () => {
    const { exchange, stage, fetch } = sceneOf(between(0, 100));
    exchange.onAnswer = (page, { fromMs }) => ({
      ...page,
      candidates: page.candidates.slice(0, 1),
      provenToMs: fromMs + 60_000,
    });
    await fetch(0, 100);
    expect(stage.candleMinutes).toEqual(between(0, 100));
  });
});

const oldGap = (from: number, to: number): OpenGap => ({
  id: 1,
  startMs: minuteMs(from),
  endMs: minuteMs(to),
  reason: "absent",
  detail: "/first",
  foundMs: NOW_MS - 90_000,
  lastAskedMs: NOW_MS - 90_000,
  nextAskMs: undefined,
  asked: 1,
});

describe("an empty answer, told twice,", () => {
  const storedAt = (...minutes: number[]): NonNullable<CandleFeedOptions["recentCandles"]> => {
    return async (_key, beforeMs, count) =>
      minutes
        .map((minute) => candleAt(minute))
        .filter(({ openTimeMs }) => openTimeMs < beforeMs)
        .slice(-count);
  };
  const voidsOf = (stage: ListStage): [number, number][] =>
    stage.batches.flatMap(({ voids }) =>
      voids.map(({ startMs, endMs }): [number, number] => [toMinute(startMs), toMinute(endMs)]),
    );
  const again = { openGaps: [oldGap(20, 26)], latestSeenMs: minuteMs(900) };
  const stored = [...between(0, 20), ...between(26, 40)];

  it("is void when a wider question brings the neighbours and nothing between them", async () => {
    const { exchange, stage, fetch } = sceneOf(stored, { recentCandles: storedAt(...stored) });
    await fetch(20, 26, again);
    expect(exchange.asked).toEqual([
      [20, 26],
      [17, 29],
    ]);
    expect(voidsOf(stage)).toEqual([[20, 26]]);
    expect(stage.batches[0]?.voids[0]?.proof.asked.map(({ request }) => request)).toEqual([
      "/first",
      "/candles?from=17&to=29",
    ]);
    expectSpokenForOnce(stage, 20, 26);
  });

  it("is no void when the wider question brings the candles: they are stored", async () => {
    const { exchange, stage, fetch } = sceneOf(between(0, 40), { recentCandles: storedAt(...stored) });
    // A node, or a cache, that answers this very question with nothing, again and again.
    exchange.onAnswer = (page, { fromMs, toMs }) =>
      toMinute(fromMs) === 20 && toMinute(toMs) === 26 ? { ...page, candidates: [], provenToMs: toMs } : page;
    await fetch(20, 26, again);
    expect(voidsOf(stage)).toEqual([]);
    const found = stage.candleMinutes;
    expect(between(20, 26).filter((minute) => !found.includes(minute))).toEqual([]);
  });

  it("is no void when the wider question does not bring what is known to exist", async () => {
    const { exchange, stage, fetch } = sceneOf([], { recentCandles: storedAt(...stored) });
    await fetch(20, 26, again);
    expect(exchange.asked).toHaveLength(2);
    expect(voidsOf(stage)).toEqual([]);
    expect(missingIn(stage.batches, "absent")).toEqual([[20, 26]]);
    expectSpokenForOnce(stage, 20, 26);
  });

  it("is no void when the wider question fails", async () => {
    const { exchange, stage, fetch } = sceneOf(stored, { recentCandles: storedAt(...stored) });
    exchange.onRequest = ({ fromMs }) => {
      if (toMinute(fromMs) === 17) throw new TickwellError({ kind: "network" }, "refused");
    };
    await fetch(20, 26, again);
    expect(voidsOf(stage)).toEqual([]);
    expect(missingIn(stage.batches, "absent")).toEqual([[20, 26]]);
  });

  it("is no void when the wider answer holds a row that cannot be placed", async () => {
    const { exchange, stage, fetch } = sceneOf(stored, { recentCandles: storedAt(...stored) });
    exchange.onAnswer = (page, { fromMs }) =>
      toMinute(fromMs) === 17
        ? { ...page, candidates: [...page.candidates, rowAt(22, { openTimeMs: undefined })] }
        : page;
    await fetch(20, 26, again);
    expect(voidsOf(stage)).toEqual([]);
  });

  it.each([2, 3])("is believed with pages of %d rows as well", async (pageRowsMax) => {
    const { stage, fetch } = sceneOf(stored, { pageRowsMax, recentCandles: storedAt(...stored) });
    await fetch(20, 26, again);
    expect(voidsOf(stage).flat().slice(0, 1)).toEqual([20]);
    expect(voidsOf(stage).flat().slice(-1)).toEqual([26]);
    expectSpokenForOnce(stage, 20, 26);
  });

  it("is no void when the latest candle that was ever shown does not come back", async () => {
    const { exchange, stage, fetch } = sceneOf([]);
    await fetch(20, 26, again);
    expect(exchange.asked).toEqual([
      [20, 26],
      [17, 901],
    ]);
    expect(voidsOf(stage)).toEqual([]);
    expect(missingIn(stage.batches, "absent")).toEqual([[20, 26]]);
  });

  it("is believed as it stands where no candle at all is known: there is no better question", async () => {
    const { exchange, stage, fetch } = sceneOf([]);
    const dayAgo = { ...oldGap(20, 26), startMs: NOW_MS - 30 * 3_600_000, endMs: NOW_MS - 29 * 3_600_000 };
    const suspended = { market: { ...MARKET, isActive: false }, openGaps: [dayAgo] };
    await fetch(toMinute(dayAgo.startMs), toMinute(dayAgo.endMs), suspended);
    expect(exchange.asked).toHaveLength(1);
    expect(voidsOf(stage)).toHaveLength(1);
  });

  it("needs no wider question when it is a small hole among rows", async () => {
    const { exchange, stage, fetch } = sceneOf(stored, { recentCandles: storedAt(...stored) });
    await fetch(18, 28, again);
    expect(exchange.asked).toEqual([[18, 28]]);
    expect(voidsOf(stage)).toEqual([[20, 26]]);
  });
});
