import { describe, expect, it } from "vitest";
import type { Trade } from "../../../../src/core/model/trade.js";
import { buildCandles } from "../../../../src/pipeline/fold/candle-builder.js";
import { valuesOf, type CandleValues } from "../../../../src/upkeep/deep/candle-values.js";
import { classifyMinute, type MinuteEvidence } from "../../../../src/upkeep/deep/classify-minute.js";
import type { MinuteTrades } from "../../../../src/upkeep/deep/minute-trades.js";
import { decimal, MINUTE_MS, minuteMs } from "../../../support/candles.js";
import { tradeOf } from "../../pipeline/fold/trade-of.js";

const OPEN_MS = minuteMs(5);

/** Ids 1 to 3 before the minute, 4 to 9 in it, 10 to 12 after it; all different in price and quantity. */
const ALL = Array.from({ length: 12 }, (_, i) => {
  const id = i + 1;
  const timeMs = id < 4 ? OPEN_MS - 40 + id * 10 : id < 10 ? OPEN_MS + id * 6_000 : OPEN_MS + MINUTE_MS + id;
  return tradeOf(id, timeMs, { price: `10${id % 5}.${id}`, qty: `0.${id}7` });
});
const byId = (from: number, to: number): Trade[] => ALL.filter(({ id }) => id >= from && id <= to);
const TRADES: MinuteTrades = {
  before: byId(1, 3),
  inside: byId(4, 9),
  after: byId(10, 12),
  idGaps: [],
  rejected: [],
};

function candleOf(trades: readonly Trade[]): CandleValues {
  const [candle] = buildCandles(
    trades.map((trade) => ({ ...trade, timeMs: OPEN_MS })),
    "1m",
  );
  if (!candle) throw new Error("no trades");
  return valuesOf(candle);
}

const TRUE = candleOf(TRADES.inside);
const OTHER: CandleValues = { ...TRUE, close: decimal("100.25") };

function classify(change: Partial<MinuteEvidence>) {
  return classifyMinute({
    openTimeMs: OPEN_MS,
    state: "stored",
    stored: { values: TRUE, isFromExchange: true },
    venue: TRUE,
    venueRefusal: undefined,
    archive: undefined,
    trades: TRADES,
    ...change,
  }).map((difference) => ({ class: difference.class, repair: difference.repair, detail: difference.detail }));
}

const stored = (values: CandleValues, isFromExchange = true) => ({ values, isFromExchange });
const FLAT: CandleValues = {
  open: decimal("9"),
  high: decimal("9"),
  low: decimal("9"),
  close: decimal("9"),
  volume: decimal("0"),
  quoteVolume: decimal("0"),
  tradeCount: 0,
};
const NO_TRADES: MinuteTrades = { ...TRADES, inside: [] };

describe("a minute on which all witnesses agree", () => {
  it.each<[string, Partial<MinuteEvidence>]>([
    ["stored, venue, trades and archive", { archive: { values: TRUE, url: "a.zip" } }],
    [
      "a venue that tells neither count nor notional",
      { venue: { ...TRUE, quoteVolume: undefined, tradeCount: undefined } },
    ],
    ["trades that are not kept any more", { trades: undefined }],
    ["a flat candle without trades", { stored: stored(FLAT), venue: FLAT, trades: NO_TRADES }],
    [
      "a void where there is nothing",
      { state: "void", stored: undefined, venue: undefined, trades: NO_TRADES },
    ],
    [
      "an archive that lacks what the venue lacks",
      {
        state: "void",
        stored: undefined,
        venue: undefined,
        trades: NO_TRADES,
        archive: { values: undefined, url: "a.zip" },
      },
    ],
  ])("has no differences: %s", (_what, change) => {
    expect(classify(change)).toEqual([]);
  });
});

describe("a revision", () => {
  it("is a venue's candle that has changed and agrees with its trades", () => {
    expect(classify({ stored: stored(OTHER) })).toEqual([
      {
        class: "revision",
        repair: "refetch",
        detail: expect.stringContaining(
          `close ${TRUE.close}, not 100.25 as stored, and its trades agree`,
        ) as string,
      },
    ]);
  });

  it("is told once where the archive still says what is stored", () => {
    expect(classify({ stored: stored(OTHER), archive: { values: OTHER, url: "a.zip" } })).toHaveLength(1);
  });

  it("is believed without trades, and said so", () => {
    expect(classify({ stored: stored(OTHER), trades: undefined })).toEqual([
      {
        class: "revision",
        repair: "refetch",
        detail: expect.stringContaining("not kept that long") as string,
      },
    ]);
  });

  it("may come with a late trade", () => {
    const venue = candleOf(byId(4, 8));
    expect(classify({ stored: stored(OTHER), venue }).map((each) => each.class)).toEqual([
      "revision",
      "late_trade",
    ]);
  });
});

describe("a late trade", () => {
  it.each<[string, Trade[], number[]]>([
    ["the last one counted after", byId(4, 8), [9]],
    ["the first one counted before", byId(5, 9), [4]],
    ["one of the minute before counted in it", byId(3, 9), [3]],
    ["one of the minute after counted in it", byId(4, 10), [10]],
    ["the last but one counted after", [...byId(4, 7), ...byId(9, 9)], [8]],
    ["three counted after", byId(4, 6), [7, 8, 9]],
    ["the boundary shifted at both ends", byId(3, 8), [3, 9]],
  ])("is found: %s", (_what, counted, movedIds) => {
    const venue = candleOf(counted);
    const [difference, ...more] = classifyMinute({
      openTimeMs: OPEN_MS,
      state: "stored",
      stored: stored(venue),
      venue,
      venueRefusal: undefined,
      archive: undefined,
      trades: TRADES,
    });
    expect(more).toEqual([]);
    expect(difference).toMatchObject({
      class: "late_trade",
      repair: "none",
      movedIds,
      fillIds: { first: 4, last: 9 },
    });
  });

  it("is not made up where no trade explains the candle", () => {
    const venue = { ...candleOf(byId(4, 8)), high: decimal("999") };
    expect(classify({ stored: stored(venue), venue })).toEqual([
      { class: "source_fault", repair: "none", detail: expect.stringContaining("by its trades") as string },
    ]);
  });
});

describe("our loss", () => {
  it("is a void in which the venue has a candle, and it is reopened", () => {
    expect(classify({ state: "void", stored: undefined })).toEqual([
      {
        class: "our_loss",
        repair: "reopen_void",
        detail: `believed void, and the exchange has a candle with a volume of ${TRUE.volume} and 6 trades from id 4 on`,
      },
    ]);
  });

  it("is a void in which the venue has trades and no candle", () => {
    expect(classify({ state: "void", stored: undefined, venue: undefined })).toEqual([
      {
        class: "our_loss",
        repair: "reopen_void",
        detail: "believed void, and the exchange has 6 trades from id 4 on",
      },
    ]);
  });

  it("is a gap that could be filled", () => {
    expect(classify({ state: "gap", stored: undefined })).toMatchObject([
      { class: "our_loss", repair: "refetch" },
    ]);
  });

  it("is values of a file that the exchange contradicts", () => {
    expect(classify({ stored: stored(OTHER, false) })).toMatchObject([
      { class: "our_loss", repair: "refetch", detail: expect.stringContaining("from a file") as string },
    ]);
  });

  it("is values that neither the venue's candle nor its trades show", () => {
    const venue = { ...TRUE, high: decimal("999") };
    expect(classify({ stored: stored(OTHER), venue })).toMatchObject([
      { class: "our_loss", repair: "refetch" },
      { class: "source_fault" },
    ]);
  });
});

describe("a source's fault", () => {
  it("is fills that are missing where the candle has them, with their ids", () => {
    const trades = {
      ...TRADES,
      inside: TRADES.inside.filter(({ id }) => id !== 6),
      idGaps: [{ firstMissingId: 6, lastMissingId: 6 }],
    };
    expect(classify({ trades })).toEqual([
      {
        class: "source_fault",
        repair: "none",
        detail: expect.stringContaining("fills 6 are missing at the source") as string,
      },
    ]);
  });

  it("is a candle that changed away from its trades: ours is kept", () => {
    expect(classify({ venue: { ...TRUE, volume: decimal("1") } })).toEqual([
      {
        class: "source_fault",
        repair: "none",
        detail: expect.stringContaining("its trades agree with what is stored") as string,
      },
    ]);
  });

  it("is a volume without trades", () => {
    expect(classify({ trades: NO_TRADES })).toMatchObject([{ class: "source_fault" }]);
  });

  it("is a candle that is gone, or is refused now", () => {
    expect(classify({ venue: undefined })).toMatchObject([{ class: "source_fault", repair: "none" }]);
    expect(classify({ venue: undefined, venueRefusal: "candle.high_below_low" })[0]?.detail).toContain(
      "candle.high_below_low",
    );
  });

  it("is an archive that differs alone, lacks the minute, or alone has it", () => {
    const url = "a.zip";
    expect(classify({ archive: { values: OTHER, url } })).toMatchObject([
      { class: "source_fault", repair: "none" },
    ]);
    expect(classify({ archive: { values: undefined, url } })).toMatchObject([{ class: "source_fault" }]);
    expect(
      classify({
        state: "void",
        stored: undefined,
        venue: undefined,
        trades: NO_TRADES,
        archive: { values: TRUE, url },
      }),
    ).toMatchObject([{ class: "source_fault", repair: "none" }]);
  });
});

describe("notionals that the venue writes with eight decimals", () => {
  const trades = [
    tradeOf(4, OPEN_MS, { price: "0.00012345", qty: "0.1234" }),
    tradeOf(5, OPEN_MS + 1, { price: "0.00012346", qty: "0.4321" }),
  ];
  const exact = candleOf(trades);
  const evidence = (quoteVolume: string) => {
    const venue = { ...exact, quoteVolume: decimal(quoteVolume) };
    return classify({ stored: stored(venue), venue, trades: { ...TRADES, inside: trades } });
  };

  it("agree with the exact sum within one last unit a fill, and no more", () => {
    // 0.00012345 × 0.1234 = 0.00001523373, 0.00012346 × 0.4321 = 0.000053347066; together 0.000068580796.
    expect(exact.quoteVolume).toBe("0.000068580796");
    expect(evidence("0.00006857")).toEqual([]);
    expect(evidence("0.00006858")).toEqual([]);
    expect(evidence("0.0000686")).toEqual([]);
    expect(evidence("0.00006855")).toHaveLength(1);
    expect(evidence("0.00006861")).toHaveLength(1);
  });
});
