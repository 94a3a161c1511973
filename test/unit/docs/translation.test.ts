// The README in two languages says the same: who changes one is reminded of the other.
import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";

const ROOT = new URL("../../../", import.meta.url);
const english = readFileSync(new URL("README.md", ROOT), "utf8");
const chinese = readFileSync(new URL("README.zh-TW.md", ROOT), "utf8");

const all = (text: string, pattern: RegExp): string[] =>
  [...text.matchAll(pattern)].map(([, found = ""]) => found);
const codeBlocks = (text: string): string[] => all(text, /^(```[^]*?^```)$/gm);
const prose = (text: string): string => text.replace(/^```[^]*?^```$/gm, "");
const headings = (text: string): string[] => all(prose(text), /^(#+) /gm);
const links = (text: string): string[] =>
  all(prose(text), /\]\(([^)]+)\)/g).filter((target) => !/^README/.test(target));
/** Commands, keys and addresses in running text; in another order where the language wants it. */
const inline = (text: string): string[] =>
  [...all(prose(text), /(`[^`\n]+`)/g), ...all(prose(text), /(<http[^>]+>)/g)].sort();
const points = (text: string): number => all(prose(text), /^(-) /gm).length;
const tableRows = (text: string): string[] =>
  all(prose(text), /^(\|.*)$/gm)
    // What a row is about stands in code in its first cell.
    .map((row) => (row.split("|")[1] ?? "").match(/`[^`]+`/g)?.join(" ") ?? "");

describe("README.md and README.zh-TW.md", () => {
  it("lead to each other", () => {
    expect(english).toContain("](README.zh-TW.md)");
    expect(chinese).toContain("](README.md)");
  });

  it.each([
    ["the same headings", headings],
    ["the same code", codeBlocks],
    ["the same links and pictures", links],
    ["the same rows of tables", tableRows],
    ["the same commands and addresses in the text", inline],
    ["as many points", points],
  ] as [string, (text: string) => unknown][])("have %s", (_, of) => {
    expect(of(chinese)).toEqual(of(english));
  });

  it("have something to compare", () => {
    for (const of of [headings, codeBlocks, links, tableRows, inline])
      expect(of(english).length).toBeGreaterThan(5);
  });
});
