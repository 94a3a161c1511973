import { afterAll, beforeAll, expect, it } from "vitest";
import type { BanMemory } from "../../../src/core/net/ban-memory.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";

const NOW_MS = Date.UTC(2026, 0, 5, 12);
const DAY_MS = 86_400_000;
let database: TestDatabase;
let bans: BanMemory;
beforeAll(async () => {
  database = await createTestDatabase();
  ({ bans } = await database.openStore());
});
afterAll(() => database.drop());

it("keeps the later end of two bans, whichever process tells it last", async () => {
  await bans.save("a", { untilMs: NOW_MS + 600_000, reason: "one" });
  await bans.save("a", { untilMs: NOW_MS + 120_000, reason: "another" });
  expect(await bans.load("a")).toBe(NOW_MS + 600_000);
});

it("gives up an end that no ban has, which a wrong clock wrote, for one that is told now", async () => {
  await bans.save("b", { untilMs: NOW_MS + 365 * DAY_MS, reason: "written a year ahead" });
  await bans.save("b", { untilMs: NOW_MS + 120_000, reason: "told now" });
  expect(await bans.load("b")).toBe(NOW_MS + 120_000);
});

it("knows nothing of a host that has not banned us", async () => {
  expect(await bans.load("c")).toBeUndefined();
});
