import { describe, expect, it } from "vitest";
import { pino } from "pino";
import type { Clock } from "../../../../src/core/clock.js";
import { silentLog } from "../../../../src/core/log.js";
import { ExchangeClock } from "../../../../src/pipeline/feed/exchange-clock.js";
import { MapExchange } from "./map-exchange.js";

const START_MS = Date.UTC(2024, 0, 1);
const never = new AbortController().signal;

/** An exchange whose clock is `aheadMs` ahead of ours and whose answer takes `roundTripMs`, half of it each way. */
function sceneOf({ aheadMs = 0, roundTripMs = 0 }: { aheadMs?: number; roundTripMs?: number }) {
  const scene = { nowMs: START_MS, aheadMs, asked: 0, words: [] as string[] };
  const clock: Clock = {
    nowMs: () => scene.nowMs,
    sleep: async (durationMs) => void (scene.nowMs += durationMs),
  };
  const exchange = new (class extends MapExchange {
    override async fetchServerTime(): Promise<never> {
      scene.asked++;
      const answerMs = scene.nowMs + roundTripMs / 2 + scene.aheadMs;
      scene.nowMs += roundTripMs;
      return answerMs as never;
    }
  })([]);
  const log = pino({ base: null }, { write: (line: string) => scene.words.push(line) });
  return { scene, clock: new ExchangeClock({ exchange, clock, log }), exchange, machine: clock };
}

describe("an exchange's clock", () => {
  it("is ours until it has been measured", () => {
    expect(sceneOf({ aheadMs: 5_000 }).clock.nowMs()).toBe(START_MS);
  });

  it.each([70_000, -70_000, 400])(
    "is %d ms ahead of ours once measured, less the way of the answer: rather late than early",
    async (aheadMs) => {
      const { clock, scene } = sceneOf({ aheadMs, roundTripMs: 300 });
      await clock.keepMeasured(never);
      expect(clock.offsetMs).toBe(aheadMs - 150);
      expect(clock.nowMs()).toBe(scene.nowMs + aheadMs - 150);
    },
  );

  it("tells whole milliseconds, however long the answer took", async () => {
    const { clock } = sceneOf({ aheadMs: 10, roundTripMs: 301 });
    await clock.keepMeasured(never);
    expect(Number.isInteger(clock.nowMs())).toBe(true);
  });

  it("is measured once in a while, not at every call", async () => {
    const { clock, scene } = sceneOf({});
    await clock.keepMeasured(never);
    scene.nowMs += 1_000;
    await clock.keepMeasured(never);
    expect(scene.asked).toBe(1);
    scene.nowMs += 3_600_000;
    scene.aheadMs = 900;
    await clock.keepMeasured(never);
    expect([scene.asked, clock.offsetMs]).toEqual([2, 900]);
  });

  it("is measured again as soon as our own clock was set back", async () => {
    const { clock, scene } = sceneOf({});
    await clock.keepMeasured(never);
    scene.nowMs -= 3_600_000;
    scene.aheadMs += 3_600_000;
    await clock.keepMeasured(never);
    expect(clock.nowMs()).toBe(scene.nowMs + scene.aheadMs);
  });

  it("does not follow a single answer that jumps ahead", async () => {
    const { clock, scene } = sceneOf({});
    await clock.keepMeasured(never);
    scene.nowMs += 3_600_000;
    scene.aheadMs = 600_000;
    const jumped = clock.keepMeasured(never);
    scene.aheadMs = 0;
    await jumped;
    expect(scene.asked).toBe(3);
    expect(clock.offsetMs).toBe(0);
  });

  it("says so when the exchange's clock stands still", async () => {
    const { clock, scene, exchange } = sceneOf({});
    exchange.fetchServerTime = async () => (START_MS - 60_000) as never;
    await clock.keepMeasured(never);
    expect(scene.words.join()).toContain("its clock stands still at 2023-12-31T23:59:00Z");
  });

  it("is a word worth when the two are more than a second apart, and none otherwise", async () => {
    const near = sceneOf({ aheadMs: -1_000 });
    await near.clock.keepMeasured(never);
    expect(near.scene.words).toEqual([]);
    const far = sceneOf({ aheadMs: -61_000 });
    await far.clock.keepMeasured(never);
    expect(far.scene.words).toHaveLength(1);
    expect(far.scene.words[0]).toContain("this machine's clock is 1 min 1 s ahead of that of map");
  });

  it("keeps what it knew when the exchange cannot be asked, and says so to the caller", async () => {
    const { exchange, machine } = sceneOf({});
    exchange.fetchServerTime = async () => {
      throw new Error("refused");
    };
    const clock = new ExchangeClock({ exchange, clock: machine, log: silentLog });
    await expect(clock.keepMeasured(never)).rejects.toThrow("refused");
    expect(clock.nowMs()).toBe(START_MS);
  });
});
