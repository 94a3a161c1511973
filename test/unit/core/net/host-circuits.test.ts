import { describe, expect, it } from "vitest";
import { TickwellError } from "../../../../src/core/fault.js";
import { HostCircuits } from "../../../../src/core/net/host-circuits.js";
import { ManualClock } from "./manual-clock.js";

const timeout = async (): Promise<never> => {
  throw new TickwellError({ kind: "timeout", timeoutMs: 10_000 }, "no answer");
};
const answer = async (): Promise<string> => "answered";

function open() {
  const clock = new ManualClock(0);
  const circuits = new HostCircuits({ subject: "binance: host", clock, failuresMax: 3, pauseMs: 5_000 });
  let sent = 0;
  /** @returns how it ended: `answered`, `failed`, or `held back` when nothing was sent */
  const ask = async (market: string | undefined, does: () => Promise<string>): Promise<string> => {
    const before = sent;
    try {
      return await circuits.run(market, () => {
        sent++;
        return does();
      });
    } catch {
      return sent === before ? "held back" : "failed";
    }
  };
  return { clock, circuits, ask };
}

describe("the circuits of a host", () => {
  it("hold back a market that hangs, and no other", async () => {
    const { ask } = open();
    for (let i = 0; i < 3; i++) expect(await ask("BTCUSDT", timeout)).toBe("failed");
    expect(await ask("BTCUSDT", answer)).toBe("held back");
    expect(await ask("ETHUSDT", answer)).toBe("answered");
    expect(await ask(undefined, answer)).toBe("answered");
    expect(await ask("BTCUSDT", answer)).toBe("held back");
  });

  it("name the market, and what is about none", async () => {
    const { ask, circuits } = open();
    for (let i = 0; i < 3; i++) await ask("BTCUSDT", timeout);
    expect(() => circuits.check("BTCUSDT")).toThrow(
      "binance: host, asked about BTCUSDT, failed 3 times in a row (timeout)",
    );
  });

  it("let each market of a host that is down ask once", async () => {
    const { ask } = open();
    const markets = Array.from({ length: 50 }, (_, i) => `M${i}`);
    for (const market of markets) expect(await ask(market, timeout)).toBe("failed");
    for (const market of markets) expect(await ask(market, timeout)).toBe("held back");
  });

  it("ask a host that is down once when the pause is over, and all again when it answers", async () => {
    const { ask, clock } = open();
    const markets = Array.from({ length: 10 }, (_, i) => `M${i}`);
    for (const market of markets) await ask(market, timeout);
    await clock.advance(5_000);
    expect(await ask("M0", timeout)).toBe("failed");
    expect(await ask("M1", answer)).toBe("held back");
    await clock.advance(10_000);
    for (const market of markets) expect(await ask(market, answer)).toBe("answered");
  });

  it("open the way for all by the answer one market gets", async () => {
    const { ask } = open();
    for (const market of ["A", "B", "C"]) await ask(market, timeout);
    expect(await ask("A", answer)).toBe("held back");
    expect(await ask("D", answer)).toBe("answered");
    expect(await ask("A", answer)).toBe("answered");
  });

  it("do not count a pause of the host against a market", async () => {
    const { ask, clock, circuits } = open();
    for (const market of ["A", "B", "C"]) await ask(market, timeout);
    for (let i = 0; i < 10; i++) expect(await ask("A", answer)).toBe("held back");
    await clock.advance(5_000);
    expect(() => circuits.check("A")).not.toThrow();
    expect(await ask("A", answer)).toBe("answered");
  });
});
