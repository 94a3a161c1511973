import { describe, expect, it } from "vitest";
import { maskText } from "../../../src/core/mask-text.js";

describe("maskText", () => {
  it.each([
    ["postgres://user:hunter2@host/db", "postgres://user:***@host/db"],
    ["postgres://user:p@ss@host/db", "postgres://user:***@host/db"],
    ["postgres://host/db?user=u&password=hunter2", "postgres://host/db?user=u&password=***"],
    ["postgres://user@host/db", "postgres://user@host/db"],
  ])("shows no password of %s", (url, shown) => {
    expect(maskText(url)).toBe(shown);
  });
});
