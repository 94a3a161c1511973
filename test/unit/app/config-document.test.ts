// Reading one YAML text: values, variables, places, and what is wrong before anyone asks what the keys mean.
import { describe, expect, it } from "vitest";
import { readConfigDocument } from "../../../src/app/config-document.js";
import { formatConfigFault } from "../../../src/app/config-fault.js";

const ENV = {
  PORT: "7377",
  FLAG: "true",
  WORD: "word",
  EMPTY: "",
  DIGITS: "0123",
  STRUCTURE: "{a: 1}",
  LIST: "- x",
};

function read(text: string) {
  const document = readConfigDocument("x.yml", text, ENV);
  return { values: document.values, faults: document.faults.map(formatConfigFault), document };
}

describe("values", () => {
  it.each(["", "# only a comment\n", "---\n"])("reads the empty file %j as no settings", (text) => {
    expect(read(text)).toMatchObject({ values: {}, faults: [] });
  });

  it("reads a key without a value as absent", () => {
    expect(read("a:\nb: ~\nc: 1\n").values).toEqual({ c: 1 });
  });

  it("gives an unquoted variable the type YAML gives its text", () => {
    const text = "n: ${PORT}\nd: ${NONE:1.5}\nb: ${FLAG}\nt: ${WORD}\njoined: ${PORT}s\ngone: ${EMPTY}\n";
    expect(read(text).values).toEqual({ n: 7377, d: 1.5, b: true, t: "word", joined: "7377s" });
  });

  it("keeps a quoted variable a text", () => {
    const text = 'a: "${PORT}"\nb: \'${DIGITS}\'\nc: "${EMPTY}"\nd: |-\n  ${FLAG}\ne: !!str ${PORT}\n';
    expect(read(text).values).toEqual({ a: "7377", b: "0123", c: "", d: "true", e: "7377" });
  });

  it("never takes structure from a variable", () => {
    expect(read("a: ${STRUCTURE}\nb: ${LIST}\nc: ${NONE:x}\n").values).toEqual({
      a: "{a: 1}",
      b: "- x",
      c: "x",
    });
  });

  it("puts variables into values, not into keys", () => {
    expect(read("${PORT}: 1\n").values).toEqual({ "${PORT}": 1 });
  });

  it("reads anchors and aliases", () => {
    expect(read("a: &x [1, 2]\nb: *x\n")).toMatchObject({ values: { a: [1, 2], b: [1, 2] }, faults: [] });
  });

  it("keeps <<, yes and dates plain", () => {
    expect(read("<<: {a: 1}\nb: yes\nc: 2024-01-01\n").values).toEqual({
      "<<": { a: 1 },
      b: "yes",
      c: "2024-01-01",
    });
  });

  it("reads the key __proto__ like any other", () => {
    const { values } = read("__proto__: {polluted: true}\n");
    expect(Object.keys(values as object)).toEqual(["__proto__"]);
    expect({}).not.toHaveProperty("polluted");
  });
});

describe("places", () => {
  it("stay those of the file behind a variable, in lists and in block texts", () => {
    const { document } = read("# comment\na:\n  - b: ${WORD}\n    c: |\n      ${WORD}\n  - d: ${PORT}\n");
    expect(document.valueAt(["a", 0, "b"])).toMatchObject({
      line: 3,
      column: 8,
      source: "${WORD}",
      isExpanded: true,
    });
    expect(document.valueAt(["a", 1, "d"])).toMatchObject({ line: 6, column: 8 });
    expect(document.keyAt(["a", 1, "d", "nothing"])).toMatchObject({ line: 6, column: 5 });
  });

  it("survive Windows line ends and a byte order mark", () => {
    const { document } = read("\uFEFFa: 1\r\nb: 2\r\n");
    expect(document.valueAt(["b"])).toMatchObject({ line: 2, column: 4 });
    expect(document.values).toEqual({ a: 1, b: 2 });
  });
});

describe("faults", () => {
  it("names the unset variable with file, line and key", () => {
    expect(read("a:\n  - b: x/${NOPE}\n").faults).toEqual([
      expect.stringMatching(
        /^x\.yml:2:8 a\[0\]\.b: the environment variable NOPE is not set: .*\$\{NOPE:default\}$/,
      ),
    ]);
  });

  it("names the second of two equal keys and the line of the first", () => {
    expect(read("a:\n  b: 1\n  c: 2\n  b: 3\n").faults).toEqual([
      "x.yml:4:3 a.b: given twice, first in line 2; keep one of them",
    ]);
  });

  it.each([
    ["a: [1\nb: 2\n", /^x\.yml:2:1: not valid YAML: .*brackets/],
    ["a: 1\n\tb: 2\n", /^x\.yml:2:1: not valid YAML: .*spaces/],
    ["a: 1\n---\nb: 2\n", /^x\.yml:2:1: not valid YAML: .*one document/],
    ["a: 1\nb: {c: ${PORT}}\n", /^x\.yml:2:\d+: not valid YAML: .*\$\{…\} needs quotes/],
    ["a: 1\nb: *c\n", /^x\.yml:2:4 b: an alias/],
    ["a: 1\nb: !c d\n", /^x\.yml:2:\d+ b: a tag/],
    ["a: 1\n? [b]\n: c\n", /^x\.yml:2:3: found a map, a list or an alias as a key/],
  ])("says in which line %j is not readable", (text, message) => {
    expect(read(text).faults).toEqual([expect.stringMatching(message)]);
  });

  it.each([
    "token: hush: hush\n",
    "token: *hush\n",
    'token: "hush" hush\n',
    "token: @hush\n",
    "token: !hush x\n",
  ])("does not quote %j, which may be a secret", (text) => {
    const { faults } = read(text);
    expect(faults).toHaveLength(1);
    expect(faults.join()).not.toContain("hush");
  });

  it("ends on aliases that lead back to themselves, and on those that multiply", () => {
    const bomb = Array.from(
      { length: 9 },
      (_, at) => `a${at + 1}: &a${at + 1} [${Array(10).fill(`*a${at}`).join()}]\n`,
    );
    for (const text of ["a: &a [*a, *a]\n", `a0: &a0 x\n${bomb.join("")}`]) {
      expect(read(text).faults).toEqual([expect.stringContaining("far more than a config needs")]);
    }
  });
});
