import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { parseDecimal, type Decimal } from "../../../../src/core/decimal.js";
import {
  decodeCandle,
  decodeEnvelope,
  decodeInstruments,
  decodeMaintenance,
  decodeTrade,
} from "../../../../src/exchanges/okx/decode.js";
import { multiplyDecimals } from "../../../../src/core/multiply-decimals.js";

const decimal = (text: string): Decimal => parseDecimal(text) as Decimal;
const answerOf = (data: readonly unknown[]) => ({ code: "0", msg: "", data });

describe("multiplyDecimals", () => {
  it.each([
    ["3", "0.1", "0.3"],
    ["0.1", "0.2", "0.02"],
    ["1.5", "-0.01", "-0.015"],
    ["123456789.123456789", "1000000", "123456789123456.789"],
    ["0", "5", "0"],
    ["2.5", "4", "10"],
  ])("multiplies %s by %s exactly", (a, b, product) => {
    expect(multiplyDecimals(decimal(a), decimal(b))).toBe(product);
  });

  it("gives nothing rather than digits it would have to drop", () => {
    const long = decimal(`0.${"1".repeat(40)}`);
    expect(multiplyDecimals(long, long)).toBeUndefined();
  });
});

describe("decodeMaintenance", () => {
  const row = {
    state: "scheduled",
    begin: "1620723600000",
    end: "1620724200000",
    serviceType: "5",
    env: "1",
  };

  it("gives the times of maintenance that concerns market data", () => {
    const window = { startMs: 1_620_723_600_000, endMs: 1_620_724_200_000 };
    const rows = [row, { ...row, state: "ongoing", serviceType: "0" }, { ...row, state: "pre_open" }];
    expect(decodeMaintenance(answerOf(rows))).toEqual([window, window, window]);
  });

  it.each([
    ["what is over", { state: "completed" }],
    ["what is off", { state: "canceled" }],
    ["other services", { serviceType: "8" }],
    ["the demo environment", { env: "2" }],
    ["an end that is not told", { end: "" }],
    ["an end before its beginning", { end: "1620723500000" }],
    ["a time that is none", { begin: "soon" }],
  ])("leaves out %s", (_name, change) => {
    expect(decodeMaintenance(answerOf([{ ...row, ...change }, null, "x"]))).toEqual([]);
  });

  it("refuses what is no answer", () => {
    expect(() => decodeMaintenance({ code: "50001", data: [] })).toThrow(/expected \{"code":"0"/);
  });
});

describe("decodeCandle", () => {
  const row = ["1747094040000", "1.1", "1.4", "1.0", "1.2", "1040.37", "10.4037", "1069.5", "1"];

  it("picks the volumes by the kind of market, and the closed flag", () => {
    expect(decodeCandle(row, { isSwap: false })).toEqual({
      openTimeMs: 1_747_094_040_000,
      open: "1.1",
      high: "1.4",
      low: "1.0",
      close: "1.2",
      volume: "1040.37",
      quoteVolume: "1069.5",
      tradeCount: null,
      isClosed: true,
      raw: row,
    });
    expect(decodeCandle(row.with(8, "0"), { isSwap: true })).toMatchObject({
      volume: "10.4037",
      quoteVolume: "1069.5",
      isClosed: false,
    });
  });

  it("leaves undefined what is of another type than documented", () => {
    const candle = decodeCandle([1_747_094_040_000, 1.1], { isSwap: false });
    expect(candle).toMatchObject({ openTimeMs: undefined, open: undefined, isClosed: undefined });
  });
});

describe("decodeTrade", () => {
  const row = { instId: "A-B-SWAP", side: "sell", sz: "7", px: "2.5", tradeId: "12", ts: "1747087163557" };

  it("multiplies contracts by their size", () => {
    const market = { nativeSymbol: "A-B-SWAP", contractSize: decimal("0.01") };
    expect(decodeTrade(row, market)).toEqual({
      id: 12,
      firstFillId: 12,
      lastFillId: 12,
      timeMs: 1_747_087_163_557,
      price: "2.5",
      qty: "0.07",
      side: "sell",
      raw: row,
    });
  });

  it("passes on a quantity it cannot read", () => {
    const market = { nativeSymbol: "A-B-SWAP", contractSize: decimal("0.01") };
    expect(decodeTrade({ ...row, sz: "1e3" }, market).qty).toBe("1e3");
  });
});

describe("decodeInstruments", () => {
  const swap = {
    instId: "ETH-USDT-SWAP",
    ctType: "linear",
    settleCcy: "USDT",
    uly: "ETH-USDT",
    ctVal: "0.1",
    ctMult: "10",
    state: "live",
    listTime: "1573557408000",
  };

  it("reads linear swaps with their contract size, and leaves the inverse ones out", () => {
    const inverse = { ...swap, instId: "BTC-USD-SWAP", ctType: "inverse", settleCcy: "BTC" };
    expect(decodeInstruments(answerOf([inverse, swap]), "SWAP")).toEqual({
      markets: [
        {
          symbol: "ETH/USDT:USDT",
          nativeSymbol: "ETH-USDT-SWAP",
          baseAsset: "ETH",
          quoteAsset: "USDT",
          marketType: "swap",
          isActive: true,
          listedMs: 1_573_557_408_000,
          contractSize: "1",
        },
      ],
      unreadable: [],
    });
  });

  it("takes pair and settlement from their fields, not from the id", () => {
    const entry = { ...swap, instId: "BTC-USD_UM-SWAP", uly: "", instFamily: "BTC-USD", settleCcy: "USDC" };
    expect(decodeInstruments(answerOf([entry]), "SWAP").markets[0]?.symbol).toBe("BTC/USD:USDC");
  });

  it("leaves a swap out whose size is not told yet, and tolerates an empty listing time", () => {
    const young = { ...swap, ctVal: "", state: "preopen" };
    const { markets, unreadable } = decodeInstruments(answerOf([young, { ...swap, listTime: "" }]), "SWAP");
    expect(unreadable).toEqual([]);
    expect(markets.map(({ listedMs }) => listedMs)).toEqual([undefined]);
  });

  it.each(["suspend", "preopen", "test", "settling"])("takes a market in state %s for inactive", (state) => {
    expect(decodeInstruments(answerOf([{ ...swap, state }]), "SWAP").markets[0]?.isActive).toBe(false);
  });

  it("reports an odd entry, and refuses a list of nothing else", () => {
    expect(decodeInstruments(answerOf([{}, swap]), "SWAP").unreadable).toHaveLength(1);
    expect(() => decodeInstruments(answerOf([{}]), "SWAP")).toThrow("no entry is readable");
  });
});

/** A folder of answers recorded from OKX, which are not ours to ship. */
const SHARED = fileURLToPath(new URL("../../../../../shared/data", import.meta.url));
const PAYLOADS = `${SHARED}/payloads/okx`;
const RECORDING = `${SHARED}/recordings/OKX.0.gz`;

describe.skipIf(!existsSync(PAYLOADS))("recorded answers of OKX (../shared/data)", () => {
  const read = (name: string): unknown => JSON.parse(readFileSync(`${PAYLOADS}/${name}.json`, "utf8"));

  it("lists spot markets and linear swaps", () => {
    const spot = decodeInstruments(read("http_get_instruments_spot"), "SPOT");
    expect(spot.unreadable).toEqual([]);
    expect(spot.markets[0]).toMatchObject({ symbol: "BTC/USD", nativeSymbol: "BTC-USD", isActive: true });
    const swaps = decodeInstruments(read("http_get_instruments_swap"), "SWAP");
    expect(swaps.unreadable).toEqual([]);
    expect(swaps.markets).toContainEqual(
      expect.objectContaining({ symbol: "ETH/USDT:USDT", contractSize: "0.1", listedMs: 1_573_557_408_000 }),
    );
  });

  it("reads candles of a swap in base units", () => {
    const [first, second] = decodeEnvelope(read("http_get_candlesticks_full")).map((row) =>
      decodeCandle(row, { isSwap: true }),
    );
    expect(first).toMatchObject({ openTimeMs: 1_747_094_040_000, volume: "10.4037", isClosed: true });
    expect(second).toMatchObject({ close: "102806.1", quoteVolume: "7364701.57952", tradeCount: null });
  });
});

describe.skipIf(!existsSync(RECORDING))("a recorded connection to OKX of 2022 (../shared/data)", () => {
  const lines = existsSync(RECORDING) ? gunzipSync(readFileSync(RECORDING)).toString("utf8").split("\n") : [];

  it.each(["SPOT", "SWAP"] as const)("lists every %s instrument it holds", (instType) => {
    const answers = lines.filter((line) =>
      line.startsWith(`https://www.okx.com/api/v5/public/instruments?instType=${instType} `),
    );
    expect(answers.length).toBeGreaterThan(0);
    for (const line of answers) {
      const json = JSON.parse(line.slice(line.indexOf(": {") + 2)) as {
        data: { ctType: string; instId: string }[];
      };
      const wanted = json.data.filter(({ ctType }) => instType === "SPOT" || ctType === "linear");
      const { markets, unreadable } = decodeInstruments(json, instType);
      expect(unreadable).toEqual([]);
      expect(markets.map(({ nativeSymbol }) => nativeSymbol)).toEqual(wanted.map(({ instId }) => instId));
      if (instType === "SWAP")
        expect(markets.every(({ symbol }) => /^[^/]+\/[^/:]+:USD[TC]$/.test(symbol))).toBe(true);
    }
  });
});
