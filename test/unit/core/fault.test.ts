import { describe, expect, it } from "vitest";
import { classifyError, describeError, TickwellError } from "../../../src/core/fault.js";

describe("classifyError", () => {
  it("hands out the fault of our own error and calls everything else internal", () => {
    const fault = { kind: "timeout", timeoutMs: 5 } as const;
    expect(classifyError(new TickwellError(fault, "late"))).toBe(fault);
    for (const thrown of [new Error("x"), "x", undefined, null, { fault }])
      expect(classifyError(thrown)).toEqual({ kind: "internal" });
  });
});

describe("describeError", () => {
  it("tells the causes too", () => {
    const error = new Error("no answer", { cause: new Error("refused", { cause: "port closed" }) });
    expect(describeError(error)).toBe("no answer (refused (port closed))");
  });

  it("does not say twice what the error says of its cause already", () => {
    const cause = new Error('syntax error at or near "SELEC"');
    expect(describeError(new Error(`the query was refused: ${cause.message}, at line 1`, { cause }))).toBe(
      'the query was refused: syntax error at or near "SELEC", at line 1',
    );
  });

  it("tells anything that was thrown", () => {
    expect(describeError("a word")).toBe("a word");
    expect(describeError(undefined)).toBe("undefined");
  });

  it("tells the parts of an error that has no words of its own, as a refused connection to two addresses has", () => {
    const error = new AggregateError([new Error("refused ::1:5432"), new Error("refused 127.0.0.1:5432")]);
    expect(describeError(error)).toBe("refused ::1:5432; refused 127.0.0.1:5432");
    expect(describeError(new TypeError())).toBe("TypeError");
  });

  it("ends on an error that is its own cause", () => {
    const error = new Error("round and round");
    error.cause = new Error("again", { cause: error });
    expect(describeError(error)).toContain("round and round (again");
  });
});
