// ${VAR} expansion: the rules one by one, and the properties that hold for any text.
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { expandVariables } from "../../../src/app/config-expand.js";

const ENV = { HOST: "db.example", EMPTY: "", TRICKY: "${HOST}" };

function expanded(text: string): string {
  const expansion = expandVariables(text, ENV);
  if (!expansion.ok) throw new Error(expansion.problems.join());
  return expansion.text;
}

function problems(text: string): readonly string[] {
  const expansion = expandVariables(text, ENV);
  return expansion.ok ? [] : expansion.problems;
}

describe("expandVariables", () => {
  it.each([
    ["${HOST}", "db.example"],
    ["http://${HOST}:${PORT:5432}/x", "http://db.example:5432/x"],
    ["${URL:postgres://me:pw@h:5432/db?a=b}", "postgres://me:pw@h:5432/db?a=b"],
    ["${NONE:}", ""],
    ["${NONE: spaced }", " spaced "],
    ["${NONE:-1}", "-1"],
    ["$${HOST}", "${HOST}"],
    ["$$${HOST}", "$${HOST}"],
    ["$HOST costs $5 {x}", "$HOST costs $5 {x}"],
  ])("reads %s as %s", (text, result) => {
    expect(expanded(text)).toBe(result);
  });

  it("takes a set but empty variable over the default", () => {
    expect(expanded("${EMPTY:default}")).toBe("");
  });

  it("does not expand what a variable brings in", () => {
    expect(expanded("${TRICKY}")).toBe("${HOST}");
  });

  it("names every unset variable of a text", () => {
    expect(problems("${A}/${B}/${HOST}")).toEqual([
      expect.stringContaining("environment variable A is not set"),
      expect.stringContaining("environment variable B is not set"),
    ]);
  });

  it("does not take what every object has for a variable", () => {
    expect(problems("${constructor}")).toEqual([expect.stringContaining("constructor is not set")]);
  });

  it.each(["${HOST", "${}", "${a-b}", "${:x}", "${ HOST}"])("refuses the malformed %s", (text) => {
    expect(problems(text)).toHaveLength(1);
  });

  it("leaves every text without ${ as it is", () => {
    fc.assert(
      fc.property(
        fc
          .string({ unit: fc.constantFrom("$", "{", "}", ":", "A", " ", "ü") })
          .filter((text) => !text.includes("${")),
        (text) => {
          expect(expanded(text)).toBe(text);
        },
      ),
    );
  });

  it("gives any text back that was escaped", () => {
    fc.assert(
      fc.property(fc.string({ unit: fc.constantFrom("$", "{", "}", ":", "A", " ") }), (text) => {
        expect(expanded(text.split("${").join("$${"))).toBe(text);
      }),
    );
  });

  it("gives any value and any default back unchanged, whatever stands around it", () => {
    const plain = fc.string().filter((text) => !text.includes("$"));
    fc.assert(
      fc.property(
        plain,
        fc.string(),
        fc.string().filter((text) => !text.includes("}")),
        plain,
        (before, value, fallback, after) => {
          const expansion = expandVariables(`${before}\${A}|\${B:${fallback}}${after}`, { A: value });
          expect(expansion).toEqual({ ok: true, text: `${before}${value}|${fallback}${after}` });
        },
      ),
    );
  });
});
