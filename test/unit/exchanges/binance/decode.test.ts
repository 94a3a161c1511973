import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { describe, expect, it } from "vitest";
import { TickwellError } from "../../../../src/core/fault.js";
import {
  decodeExchangeInfo,
  decodeKlines,
  decodeServerTime,
} from "../../../../src/exchanges/binance/decode.js";

const readFixture = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../../../fixtures/binance/${name}`, import.meta.url), "utf8"));
/** Real payloads that are not part of this repository. */
const sharedPath = (name: string) =>
  fileURLToPath(new URL(`../../../../../shared/data/payloads/binance/${name}`, import.meta.url));
const realKlines = sharedPath("spot-http_json-klines_response.json");
const realInfo = sharedPath("spot-http_json-exchange_info_response.json");

function faultPathOf(run: () => unknown): string | undefined {
  try {
    run();
  } catch (error) {
    if (error instanceof TickwellError && error.fault.kind === "malformed_payload") return error.fault.path;
    throw error;
  }
  return undefined;
}

describe("decodeKlines", () => {
  const rows = readFixture("klines.json") as unknown[][];

  it("takes each field from its place, as the exchange wrote it", () => {
    expect(decodeKlines(rows)[0]).toEqual({
      openTimeMs: 1_640_995_200_000,
      open: "46216.93000000",
      high: "46271.08000000",
      low: "46208.37000000",
      close: "46250.00000000",
      volume: "40.57574000",
      quoteVolume: "1875890.24123400",
      tradeCount: 1046,
      raw: rows[0],
    });
  });

  it("keeps the row itself, not a copy", () => {
    expect(decodeKlines(rows)[1]?.raw).toBe(rows[1]);
  });

  it("decodes as many candidates as there are rows, in their order", () => {
    expect(decodeKlines(rows).map((candidate) => candidate.openTimeMs)).toEqual(rows.map((row) => row[0]));
  });

  it.each([
    [0, "openTimeMs", "1640995200000"],
    [0, "openTimeMs", 1.5],
    [1, "open", 46216.93],
    [2, "high", null],
    [3, "low", ["1"]],
    [4, "close", undefined],
    [5, "volume", true],
    [7, "quoteVolume", 1],
    [8, "tradeCount", "1046"],
  ] as const)("leaves field %d (%s) undefined when it holds %j", (index, field, value) => {
    const row = [...(rows[0] ?? [])];
    row[index] = value;
    const candidate = decodeKlines([row])[0];
    expect(candidate).toHaveProperty(field, undefined);
    const others = Object.entries(candidate ?? {}).filter(([, found]) => found === undefined);
    expect(others.map(([name]) => name)).toEqual([field]);
  });

  it.each([null, 7, "row", {}, []])("turns a row that is %j into a candidate without fields", (row) => {
    expect(decodeKlines([row])).toEqual([
      {
        openTimeMs: undefined,
        open: undefined,
        high: undefined,
        low: undefined,
        close: undefined,
        volume: undefined,
        quoteVolume: undefined,
        tradeCount: undefined,
        raw: row,
      },
    ]);
  });

  it.skipIf(!existsSync(realKlines))(
    "decodes a recorded answer (../shared/data) without a missing field",
    () => {
      const candidates = decodeKlines(JSON.parse(readFileSync(realKlines, "utf8")) as unknown[]);
      expect(candidates.length).toBeGreaterThan(0);
      for (const candidate of candidates) expect(Object.values(candidate)).not.toContain(undefined);
    },
  );
});

describe("decodeExchangeInfo", () => {
  it("names markets by their assets, not by splitting the symbol, and tells the active ones", () => {
    const { markets } = decodeExchangeInfo(readFixture("exchange-info.json"));
    expect(markets.map(({ symbol, nativeSymbol, isActive }) => [symbol, nativeSymbol, isActive])).toEqual([
      ["BTC/USDT", "BTCUSDT", true],
      ["NAV/BTC", "NAVBTC", false],
      ["币安人生/USDT", "币安人生USDT", true],
    ]);
    expect(markets[0]).toEqual({
      symbol: "BTC/USDT",
      nativeSymbol: "BTCUSDT",
      baseAsset: "BTC",
      quoteAsset: "USDT",
      marketType: "spot",
      isActive: true,
    });
  });

  it("reads the weight limit of a minute, and no other", () => {
    expect(decodeExchangeInfo(readFixture("exchange-info.json")).weightLimit).toBe(6_000);
    expect(decodeExchangeInfo({ symbols: [] }).weightLimit).toBeUndefined();
  });

  it("reports an entry it cannot read by its path, and keeps the rest", () => {
    const good = { symbol: "AB", status: "TRADING", baseAsset: "A", quoteAsset: "B" };
    const info = decodeExchangeInfo({ symbols: [good, { ...good, baseAsset: 7 }] });
    expect(info.markets).toHaveLength(1);
    expect(info.unreadable).toEqual([expect.stringContaining("$.symbols[1].baseAsset")]);
  });

  it.each([
    [{}, "$.symbols"],
    [[], "$"],
    [{ symbols: [{}] }, "$.symbols"],
  ])("refuses %j as malformed at %s", (json, path) => {
    expect(faultPathOf(() => decodeExchangeInfo(json))).toBe(path);
  });

  it.skipIf(!existsSync(realInfo))("reads a recorded answer (../shared/data) in full", () => {
    const info = decodeExchangeInfo(JSON.parse(readFileSync(realInfo, "utf8")));
    expect(info.markets.length).toBeGreaterThan(0);
    expect(info.unreadable).toEqual([]);
  });
});

describe("decodeServerTime", () => {
  it("reads whole milliseconds", () => {
    expect(decodeServerTime({ serverTime: 1_732_300_000_123 })).toBe(1_732_300_000_123);
  });

  it.each([null, [], {}, { serverTime: "1" }, { serverTime: 1.5 }, { serverTime: -1 }])(
    "refuses %j as malformed",
    (json) => {
      expect(faultPathOf(() => decodeServerTime(json))).toBe("$.serverTime");
    },
  );
});
