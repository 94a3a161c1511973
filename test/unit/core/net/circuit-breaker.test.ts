import { describe, expect, it } from "vitest";
import { classifyError, TickwellError, type Fault } from "../../../../src/core/fault.js";
import { CircuitBreaker } from "../../../../src/core/net/circuit-breaker.js";
import { seededRandom } from "../../../../src/core/random.js";
import { ManualClock } from "./manual-clock.js";

const START_MS = Date.UTC(2026, 0, 5, 12);

function create(failuresMax = 3) {
  const clock = new ManualClock(START_MS);
  const circuit = new CircuitBreaker({
    subject: "okx: host",
    clock,
    failuresMax,
    pauseMs: 1_000,
    pauseMaxMs: 4_000,
  });
  let left = 0;
  const attempt = async (error?: Error): Promise<unknown> => {
    try {
      return await circuit.run(async () => {
        left++;
        if (error !== undefined) throw error;
        return "answered";
      });
    } catch (thrown) {
      return thrown;
    }
  };
  return { clock, circuit, attempt, left: () => left };
}

const failure = (fault: Fault = { kind: "network" }) => new TickwellError(fault, "failed");

describe("CircuitBreaker", () => {
  it.each<Fault>([
    { kind: "network" },
    { kind: "timeout", timeoutMs: 1 },
    { kind: "exchange", code: "1" },
    { kind: "maintenance" },
    { kind: "malformed_payload", path: "$", sample: "" },
  ])("opens after so many failures in a row, and says until when: %j", async (fault) => {
    const { attempt, left } = create();
    for (let i = 0; i < 3; i++) await attempt(failure(fault));
    const held = await attempt();
    expect(classifyError(held)).toEqual(fault);
    expect(String(held)).toContain("okx: host failed 3 times in a row");
    expect(String(held)).toContain("until 2026-01-05T12:00:01Z");
    expect(left()).toBe(3);
  });

  it("counts from the start again after an answer", async () => {
    const { attempt } = create();
    for (let i = 0; i < 10; i++) expect(await attempt(i % 3 === 2 ? undefined : failure())).toBeDefined();
    expect(await attempt()).toBe("answered");
  });

  it.each<Fault>([
    { kind: "rate_limit", retryAfterMs: 1 },
    { kind: "bad_symbol", code: "1" },
  ])("takes a refusal for the answer of a host that works: %j", async (fault) => {
    const { attempt, left } = create();
    for (const each of [failure(), failure(), failure(fault), failure(), failure()]) await attempt(each);
    await attempt();
    expect(left()).toBe(6);
  });

  it("learns nothing from an abort", async () => {
    const { attempt, left } = create();
    for (const each of [failure(), failure(), new Error("aborted"), failure()]) await attempt(each);
    await attempt();
    expect(left()).toBe(4);
  });

  it("lets one probe through after the pause, and closes when it is answered", async () => {
    const { clock, circuit, attempt, left } = create();
    for (let i = 0; i < 3; i++) await attempt(failure());
    await clock.advance(1_000);
    let answer = (_text: string): void => undefined;
    const probe = circuit.run(() => new Promise<string>((resolve) => (answer = resolve)));
    expect(String(await attempt())).toContain("until the request that tries it again is answered");
    expect(left()).toBe(3);
    answer("back");
    expect(await probe).toBe("back");
    expect(await attempt()).toBe("answered");
  });

  it("lets the next one try when a probe is aborted", async () => {
    const { clock, attempt } = create();
    for (let i = 0; i < 3; i++) await attempt(failure());
    await clock.advance(1_000);
    await attempt(new Error("aborted"));
    expect(await attempt()).toBe("answered");
  });

  it("doubles its pauses up to the longest, and starts from the shortest after an answer", async () => {
    const { clock, attempt, left } = create();
    for (let i = 0; i < 3; i++) await attempt(failure());
    for (const pauseMs of [1_000, 2_000, 4_000, 4_000]) {
      const before = left();
      await clock.advance(pauseMs - 1);
      await attempt();
      expect(left()).toBe(before);
      await clock.advance(1);
      await attempt(failure());
      expect(left()).toBe(before + 1);
    }
    await clock.advance(4_000);
    expect(await attempt()).toBe("answered");
    for (let i = 0; i < 3; i++) await attempt(failure());
    await clock.advance(1_000);
    expect(await attempt()).toBe("answered");
  });

  it("lets a probe through when the clock is set back: what is left of the pause is not known", async () => {
    const { clock, circuit, attempt } = create();
    for (let i = 0; i < 3; i++) await attempt(failure());
    clock.setBack(3_600_000);
    await clock.advance(600_000);
    expect(() => circuit.check()).not.toThrow();
    expect(await attempt()).toBe("answered");
  });

  it("does not take the late failures of requests sent before it opened for new ones", async () => {
    const { clock, circuit, attempt } = create();
    let fail = (): void => undefined;
    const late = circuit.run(
      () =>
        new Promise<void>((_resolve, reject) => {
          fail = () => reject(failure());
        }),
    );
    for (let i = 0; i < 3; i++) await attempt(failure());
    await clock.advance(999);
    fail();
    await expect(late).rejects.toThrow("failed");
    await clock.advance(1);
    expect(await attempt()).toBe("answered");
  });

  it.each(Array.from({ length: 20 }, (_, seed) => seed))(
    "lets nothing leave while it is paused, whatever happens (seed %i)",
    async (seed) => {
      const random = seededRandom(seed);
      const { clock, attempt, left } = create();
      // What the promise says, told in another way: the end of the pause, from the outcomes alone.
      let failures = 0;
      let pauseMs = 0;
      let untilMs = -Infinity;
      for (let step = 0; step < 300; step++) {
        await clock.advance(Math.floor(random.next() * 1_500));
        const before = left();
        const isPaused = clock.nowMs() < untilMs;
        const fails = random.next() < 0.8;
        await attempt(fails ? failure() : undefined);
        expect(left() - before).toBe(isPaused ? 0 : 1);
        if (isPaused) continue;
        failures = fails ? failures + 1 : 0;
        if (!fails) pauseMs = 0;
        if (failures < 3) continue;
        pauseMs = pauseMs === 0 ? 1_000 : Math.min(pauseMs * 2, 4_000);
        untilMs = clock.nowMs() + pauseMs;
      }
    },
  );
});
