import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { readCsv } from "../../../../src/app/candle-files/csv-reader.js";
import type { FileRow } from "../../../../src/app/candle-files/file-row.js";
import { DAY_START_MS, minuteMs } from "../../../support/candles.js";
import { allRows, fileOf, TIMING } from "./file-of.js";

const ASSETS = { baseAsset: "BTC", quoteAsset: "USDT" };
const HEADER = "timestamp,open,high,low,close,volume";
const read = (text: string, pieceBytes?: number): Promise<FileRow[]> =>
  allRows(readCsv(fileOf(text, pieceBytes), TIMING, ASSETS));
const openTimes = (rows: readonly FileRow[]) => rows.map((row) => row.candidate.openTimeMs);

describe("readCsv", () => {
  it("hands each number on as the file wrote it", async () => {
    const [row] = await read(
      `${HEADER}\n2024-01-01 00:00:00.000000,46319.10,1.912e-05,0.1,12345678.12345678,0.0\n`,
    );
    expect(row).toEqual({
      line: 2,
      row: undefined,
      problem: undefined,
      candidate: {
        openTimeMs: DAY_START_MS,
        open: "46319.10",
        high: "0.00001912",
        low: "0.1",
        close: "12345678.12345678",
        volume: "0.0",
        quoteVolume: null,
        tradeCount: null,
        raw: "2024-01-01 00:00:00.000000,46319.10,1.912e-05,0.1,12345678.12345678,0.0",
      },
    });
  });

  it("reads semicolons, tabs, quotes, a byte order mark, spaces and any line end", async () => {
    const rows = await read(
      '\uFEFF"time";"open";"high";"low";"close";"vol"\r\n"2024-01-01"; 1;2;1;2;5\r\n\r\n2024-01-01T00:01:00Z;1;2;1;2;5\n',
    );
    expect(openTimes(rows)).toEqual([minuteMs(0), minuteMs(1)]);
    expect(rows.map((row) => row.line)).toEqual([2, 4]);
    expect(rows[0]?.candidate.open).toBe("1");
    expect(openTimes(await read("1704067200\t1\t2\t1\t2\t5"))).toEqual([DAY_START_MS]);
  });

  it("leaves out one line of words above the header, as some download sites put there", async () => {
    const rows = await read(`https://example.org\n${HEADER}\n1704067200,1,2,1,2,5\n`);
    expect(rows.map((row) => row.line)).toEqual([3]);
  });

  it("takes a missing optional value for not told, and a count that pandas wrote as a float for a count", async () => {
    const rows = await read(
      `${HEADER},quote_volume,trades\n1704067200,1,2,1,2,5,,12.0\n1704067260,1,2,1,2,5,10.5,\n1704067320,1,2,1,2,5,1,x\n`,
    );
    expect(rows.map(({ candidate }) => [candidate.quoteVolume, candidate.tradeCount])).toEqual([
      [null, 12],
      ["10.5", null],
      ["1", undefined],
    ]);
  });

  it("trusts no column of a row with more or fewer fields than the first line, but keeps its time", async () => {
    const rows = await read(
      `${HEADER}\n1704067200,46319,5,46320,1,46318\n1704067260,1,2,1,2,5,6\n1704067320,1,2\n1704067380,1,2,1,2,5,,\n`,
    );
    expect(rows.map((row) => row.problem)).toEqual([
      undefined,
      "has 7 fields, expected 6",
      "has 3 fields, expected 6",
      undefined,
    ]);
    expect(rows[1]?.candidate).toMatchObject({ openTimeMs: minuteMs(1), open: undefined, volume: undefined });
  });

  it("does not let a stray quote swallow the rows after it", async () => {
    const rows = await read(
      `${HEADER}\n1704067200,"1,2,1,2,5\n1704067260,1,2,1,2,5\n1704067320,1,2,1,"2,5\n`,
    );
    expect(openTimes(rows)).toEqual([minuteMs(0), minuteMs(1), minuteMs(2)]);
  });

  it("says which time cannot be read", async () => {
    const [row] = await read(`${HEADER}\nyesterday,1,2,1,2,5\n`);
    expect(row?.problem).toContain('time "yesterday" cannot be read');
  });

  it("moves the time to the candle's start where the file gives its end", async () => {
    const rows = await allRows(
      readCsv(fileOf("1704067260,1,2,1,2,5\n"), { timeframe: "1m", timeIs: "close" }, ASSETS),
    );
    expect(openTimes(rows)).toEqual([DAY_START_MS]);
  });

  it("hands on what stood before a line without end, then says which line that is", async () => {
    const rows: FileRow[] = [];
    const reading = async (): Promise<void> => {
      const source = fileOf(`${HEADER}\n1704067200,1,2,1,2,5\n${"x".repeat(200_000)}`);
      for await (const chunk of readCsv(source, TIMING, ASSETS)) rows.push(...chunk);
    };
    await expect(reading()).rejects.toThrow(/^x:3: no line break within/);
    expect(openTimes(rows)).toEqual([DAY_START_MS]);
  });

  it("reads the same rows however the file is cut into pieces", async () => {
    const lines = Array.from({ length: 12 }, (_, i) => `${1_704_067_200 + i * 60},1.${i},2,1,2,5`);
    const text = `\uFEFF${HEADER}\r\n${lines.join("\r\n")}`;
    const whole = await read(text);
    expect(whole).toHaveLength(12);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 60 }), async (pieceBytes) => {
        expect(await read(text, pieceBytes)).toEqual(whole);
      }),
      { numRuns: 30 },
    );
  });
});
