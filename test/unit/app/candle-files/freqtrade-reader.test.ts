import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { FileRow } from "../../../../src/app/candle-files/file-row.js";
import { readFreqtradeJson } from "../../../../src/app/candle-files/freqtrade-reader.js";
import { DAY_START_MS, minuteMs } from "../../../support/candles.js";
import { allRows, fileOf, TIMING } from "./file-of.js";

const read = (text: string, pieceBytes?: number): Promise<FileRow[]> =>
  allRows(readFreqtradeJson(fileOf(text, pieceBytes), TIMING));
const row = (minute: number, close = "2.0"): string => `[${minuteMs(minute)},1.0,2.0,1.0,${close},5e-05]`;

describe("readFreqtradeJson", () => {
  it("takes numbers as their source text, also those a double cannot hold", async () => {
    const [first] = await read("[[1704067200000,46319.123456789012345678,2e-05,0.10,1,0.0]]");
    expect(first).toEqual({
      line: 1,
      row: 1,
      problem: undefined,
      candidate: {
        openTimeMs: DAY_START_MS,
        open: "46319.123456789012345678",
        high: "0.00002",
        low: "0.10",
        close: "1",
        volume: "0.0",
        quoteVolume: null,
        tradeCount: null,
        raw: "[1704067200000,46319.123456789012345678,2e-05,0.10,1,0.0]",
      },
    });
  });

  it("counts lines and rows", async () => {
    const rows = await read(`[\n  ${row(0)},\n  ${row(1)},${row(2)}\n]\n`);
    expect(rows.map((each) => [each.line, each.row])).toEqual([
      [2, 1],
      [3, 2],
      [3, 3],
    ]);
  });

  it("reads the same rows however the file is cut into pieces", async () => {
    const text = `\uFEFF[ ${Array.from({ length: 9 }, (_, i) => row(i)).join(" ,\n")} ]`;
    const whole = await read(text);
    expect(whole.map((each) => each.candidate.openTimeMs)).toEqual(
      Array.from({ length: 9 }, (_, i) => minuteMs(i)),
    );
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 60 }), async (pieceBytes) => {
        expect(await read(text, pieceBytes)).toEqual(whole);
      }),
      { numRuns: 30 },
    );
  });

  it.each([
    [
      "a row that is not closed",
      `[${row(0)},[1704067260000,1.0,2.0,${row(2)}]`,
      "the candle has no closing ]",
    ],
    ["an object", `[${row(0)},{"a":1},${row(2)}]`, "expected [ and a candle"],
    ["a row too short", `[${row(0)},[1704067260000,1],${row(2)}]`, "has 2 values, expected 6"],
  ])("lets %s spoil no other row", async (_what, text, problem) => {
    const rows = await read(text);
    expect(rows.map((each) => each.problem)).toEqual([undefined, problem, undefined]);
    expect(rows[2]?.candidate.openTimeMs).toBe(minuteMs(2));
  });

  it.each([
    ["within a row", `[${row(0)},[17040672600`, "the candle has no closing ]"],
    ["between rows", `[${row(0)},`, "the file is cut off: its last ] is missing"],
  ])("says that a file is cut off %s", async (_where, text, problem) => {
    const rows = await read(text);
    expect(rows.map((each) => each.problem).slice(0, 2)).toEqual([undefined, problem]);
  });

  it("leaves null to the gate to refuse", async () => {
    const [first] = await read("[[1704067200000,1,2,1,null,5]]");
    expect(first?.candidate.close).toBe("null");
  });

  it("refuses JSON that is no array", async () => {
    await expect(read('{"data": []}')).rejects.toThrow(
      'x: found "{"data": []}", expected JSON as freqtrade writes it',
    );
  });

  it("gives up on text in which no row ends", async () => {
    await expect(read(`[[${"1".repeat(200_000)}`)).rejects.toThrow(
      "x: no candle ends within 65536 characters",
    );
  });
});
