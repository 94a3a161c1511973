import { describe, expect, it } from "vitest";
import { detectDelimiter, readLayout } from "../../../../src/app/candle-files/csv-layout.js";

const ASSETS = { baseAsset: "BTC", quoteAsset: "USDT" };
const layoutOf = (line: string) => readLayout("x.csv", line.split(","), ASSETS);

describe("readLayout", () => {
  it("finds columns by their names, in any order and case", () => {
    expect(layoutOf("Volume,CLOSE,low,High,Open,Date,ignore")).toEqual({
      hasHeader: true,
      fields: 7,
      columns: { time: 5, open: 4, high: 3, low: 2, close: 1, volume: 0 },
    });
  });

  it("reads the header of Binance's archives and of our own exports", () => {
    const binance =
      "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore";
    expect(layoutOf(binance).columns).toMatchObject({ time: 0, volume: 5, quoteVolume: 7, tradeCount: 8 });
    const ours = "open_time,open,high,low,close,volume,quote_volume,trade_count,source,revision";
    expect(layoutOf(ours).columns).toMatchObject({ time: 0, volume: 5, quoteVolume: 6, tradeCount: 7 });
    const words =
      "Open time,Open,High,Low,Close,Volume,Close time,Quote asset volume,Number of trades,Taker buy base,Taker buy quote,Ignore";
    expect(layoutOf(words).columns).toMatchObject({ time: 0, volume: 5, quoteVolume: 7, tradeCount: 8 });
  });

  it("knows volumes named after the market's currencies, and prefers epoch to date", () => {
    const header = "unix,date,symbol,open,high,low,close,Volume BTC,Volume USDT,tradecount";
    expect(layoutOf(header).columns).toEqual({
      time: 0,
      open: 3,
      high: 4,
      low: 5,
      close: 6,
      volume: 7,
      quoteVolume: 8,
      tradeCount: 9,
    });
  });

  it("reads by position where there is no header", () => {
    expect(layoutOf("1704067200000,1,2,1,2,5")).toEqual({
      hasHeader: false,
      fields: 6,
      columns: { time: 0, open: 1, high: 2, low: 3, close: 4, volume: 5 },
    });
    const archive = "1704067200000,1,2,1,2,5,1704067259999,10,3,2,4,0";
    expect(layoutOf(archive).columns).toMatchObject({ quoteVolume: 7, tradeCount: 8 });
  });

  it("does not take a broken first row for a header", () => {
    expect(layoutOf("2024-01-01T00:00:00Z,a,b,c,d,e").hasHeader).toBe(false);
  });

  it("names the columns that a header lacks", () => {
    expect(() => layoutOf("time,price,amount")).toThrow(
      'x.csv: its first line names "time, price, amount"; no column for open, high, low, close, volume',
    );
  });

  it("refuses rows that are too short", () => {
    expect(() => layoutOf("1704067200000,1,2")).toThrow("has no header, and its first line has 3 fields");
  });
});

describe("detectDelimiter", () => {
  it.each([
    ["a,b,c", ","],
    ["a;b;c,d", ";"],
    ["a\tb\tc", "\t"],
    ["abc", undefined],
  ])("finds what divides %j", (line, delimiter) => {
    expect(detectDelimiter(line)).toBe(delimiter);
  });
});
