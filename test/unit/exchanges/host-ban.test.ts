import { describe, expect, it } from "vitest";
import { silentLog } from "../../../src/core/log.js";
import { transientBanMemory, type BanMemory } from "../../../src/core/net/ban-memory.js";
import { HostBan } from "../../../src/exchanges/host-ban.js";
import { ManualClock } from "../core/net/manual-clock.js";

const START_MS = Date.UTC(2026, 0, 5, 12);
const DAY_MS = 86_400_000;
const never = new AbortController().signal;

function create(bans: BanMemory = transientBanMemory()) {
  const clock = new ManualClock(START_MS);
  const warnings: string[] = [];
  const log = { ...silentLog, warn: (text: unknown) => void warnings.push(String(text)) };
  const ban = new HostBan({ exchange: "binance", host: "api.example" }, { clock, bans, log });
  return { clock, ban, warnings };
}

async function storedUntil(untilMs: number): Promise<BanMemory> {
  const bans = transientBanMemory();
  await bans.save("api.example", { untilMs, reason: "HTTP 418" });
  return bans;
}

describe("HostBan", () => {
  it("heeds a ban that is stored, until its end", async () => {
    const { clock, ban } = create(await storedUntil(START_MS + 3 * DAY_MS));
    await expect(ban.check(never)).rejects.toThrow("has banned this IP until 2026-01-08T12:00:00Z");
    expect(ban.untilMs).toBe(START_MS + 3 * DAY_MS);
    await clock.advance(3 * DAY_MS);
    await ban.check(never);
    expect(ban.untilMs).toBeUndefined();
  });

  it("does not believe a stored end that no ban has: it was written by a clock that was wrong", async () => {
    const { ban, warnings } = create(await storedUntil(START_MS + 365 * DAY_MS));
    await ban.check(never);
    expect(warnings.join()).toContain(
      "binance: a ban by api.example is on record until 2027-01-05T12:00:00Z",
    );
    expect(warnings.join()).toContain("it is not believed");
  });

  it("stores the end of the ban that came, not one it did not believe", async () => {
    const bans = await storedUntil(START_MS + 365 * DAY_MS);
    const { ban } = create(bans);
    await ban.check(never);
    await ban.keep({ untilMs: START_MS + 120_000, reason: "HTTP 418" });
    expect(await bans.load("api.example")).toBe(START_MS + 120_000);
  });

  it("makes of a ban no longer one when the clock is set back by an hour, and does not cut it short", async () => {
    const { clock, ban } = create();
    await ban.check(never);
    await ban.keep({ untilMs: START_MS + 120_000, reason: "HTTP 418" });
    await clock.advance(60_000);
    clock.setBack(3_600_000);
    expect(() => ban.checkKnown()).toThrow("has banned this IP");
    await clock.advance(119_999);
    expect(() => ban.checkKnown()).toThrow("has banned this IP");
    await clock.advance(1);
    ban.checkKnown();
  });
});
