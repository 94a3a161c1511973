import { getEventListeners } from "node:events";
import { describe, expect, it } from "vitest";
import { SignalEvent } from "../../../src/core/signal-event.js";

describe("SignalEvent", () => {
  it("wakes everyone who waits, in the order they came, and nobody twice", async () => {
    const event = new SignalEvent();
    const { signal } = new AbortController();
    const woken: string[] = [];
    const first = event.wait(signal).then(() => woken.push("first"));
    const second = event.wait(signal).then(() => woken.push("second"));
    event.notify();
    event.notify();
    await Promise.all([first, second]);
    expect(woken).toEqual(["first", "second"]);
  });

  it("is not remembered: who comes later waits for the next", async () => {
    const event = new SignalEvent();
    const stop = new AbortController();
    event.notify();
    const waiting = event.wait(stop.signal);
    stop.abort(new Error("nothing came"));
    await expect(waiting).rejects.toThrow("nothing came");
  });

  it("rejects with the signal's own reason, whatever it is, before and during the wait", async () => {
    const event = new SignalEvent();
    const stop = new AbortController();
    const during = event.wait(stop.signal);
    stop.abort("a word");
    await expect(during).rejects.toBe("a word");
    await expect(event.wait(stop.signal)).rejects.toBe("a word");
  });

  it("leaves no listener on the signal, however the wait ends", async () => {
    const event = new SignalEvent();
    const stop = new AbortController();
    const woken = event.wait(stop.signal);
    event.notify();
    await woken;
    expect(getEventListeners(stop.signal, "abort")).toHaveLength(0);
    const aborted = event.wait(stop.signal);
    stop.abort();
    await expect(aborted).rejects.toThrow();
    expect(getEventListeners(stop.signal, "abort")).toHaveLength(0);
  });

  it("lets hundreds wait on one signal without a warning of leaked listeners", async () => {
    const warnings: Error[] = [];
    const listen = (warning: Error): number => warnings.push(warning);
    process.on("warning", listen);
    try {
      const event = new SignalEvent();
      const { signal } = new AbortController();
      const waits = Array.from({ length: 200 }, () => event.wait(signal));
      event.notify();
      await Promise.all(waits);
      // Warnings are told on the next turn.
      await new Promise(setImmediate);
    } finally {
      process.off("warning", listen);
    }
    expect(warnings).toEqual([]);
  });
});
