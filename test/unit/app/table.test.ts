import { describe, expect, it } from "vitest";
import { formatTable, TablePages } from "../../../src/app/table.js";

const COLUMNS = [{ title: "market" }, { title: "n", align: "right" }, { title: "why" }] as const;

describe("a table", () => {
  it("has columns as wide as their widest cell, numbers to the right, and no blanks at the end of a line", () => {
    expect(
      formatTable(COLUMNS, [
        ["binance:BTC/USDT", "7", "late"],
        ["okx:ETH/USDT", "1,234", ""],
      ]),
    ).toBe(
      "market                n  why\n" + //
        "binance:BTC/USDT      7  late\n" +
        "okx:ETH/USDT      1,234\n",
    );
  });

  it("without rows is its titles", () => {
    expect(formatTable(COLUMNS, [])).toBe("market  n  why\n");
  });

  it("counts what fills two columns of a terminal as two, and what fills none as none", () => {
    const text = formatTable(
      [{ title: "a" }, { title: "b" }],
      [
        ["币安人生", "x"],
        ["ＡＢ한국", "x"],
        ["e\u0301🚀…", "x"],
        ["\u001b[31mred\u001b[39m", "x"],
      ],
    );
    expect(text.split("\n")).toEqual([
      "a         b",
      "币安人生  x",
      "ＡＢ한국  x",
      "e\u0301🚀…      x",
      "\u001b[31mred\u001b[39m       x",
      "",
    ]);
  });

  it("gives a cell with line feeds as many lines as it has", () => {
    expect(
      formatTable(
        [{ title: "a" }, { title: "b", align: "right" }],
        [
          ["one\nthree", "2"],
          ["x", "10"],
        ],
      ),
    ).toBe("a       b\none     2\nthree\nx      10\n");
  });

  it("of a hundred thousand rows takes no longer than it must", () => {
    const rows = Array.from({ length: 100_000 }, (_, i) => [
      "binance:BTC/USDT",
      String(i),
      "not fetched yet",
    ]);
    const startedMs = performance.now();
    expect(formatTable(COLUMNS, rows).length).toBeGreaterThan(3_000_000);
    expect(performance.now() - startedMs).toBeLessThan(5_000);
  });
});

describe("pages of a table", () => {
  it("have the titles once, and columns that never become narrower", () => {
    const pages = new TablePages([{ title: "a" }, { title: "b" }]);
    expect(pages.add([["x", "y"]])).toBe("a  b\nx  y\n");
    expect(pages.add([["wide", "y"]])).toBe("wide  y\n");
    expect(pages.add([["x", "y"]])).toBe("x     y\n");
  });
});
