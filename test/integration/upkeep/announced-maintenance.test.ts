// Maintenance as a simulated exchange announces it, asked for over HTTP.
import { afterEach, expect, it } from "vitest";
import { createExchange } from "../../../src/exchanges/registry.js";
import { AnnouncedMaintenance } from "../../../src/upkeep/alerts/announced-maintenance.js";
import type { TimeRange } from "../../../src/core/range.js";
import type { silentLog } from "../../../src/core/log.js";
import { startSimulatedExchange } from "../../../simulator/simulated-exchange.js";
import { ManualClock } from "../../unit/core/net/manual-clock.js";

const NOW_MS = Date.UTC(2024, 0, 10, 12);
const HOUR_MS = 3_600_000;

const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

it("is read from OKX, told once, and bounded; an exchange that announces nothing is not asked", async () => {
  const clock = new ManualClock(NOW_MS);
  const soon = { startMs: NOW_MS + HOUR_MS, endMs: NOW_MS + 2 * HOUR_MS };
  const endless = { startMs: NOW_MS - HOUR_MS, endMs: NOW_MS + 100 * HOUR_MS };
  const exchange = await startSimulatedExchange({
    seed: 1,
    clock,
    faults: {
      faults: [soon, endless].map(({ startMs, endMs }) => ({
        kind: "code_200" as const,
        code: "50001",
        exchange: "okx" as const,
        endpoint: "candles",
        clock_from: startMs,
        clock_to: endMs,
      })),
    },
  });
  closers.push(() => exchange.close());
  const venues = (["okx", "binance"] as const).map((name) =>
    createExchange(name, {
      restUrl: exchange.url,
      clock,
      retry: { attempts: 1, baseDelayMs: 1, maxDelayMs: 1 },
    }),
  );
  closers.push(...venues.map((venue) => () => venue.close()));
  const announced = new Map<string, readonly TimeRange[]>();
  const said: string[] = [];
  const log = {
    info: (text: string) => said.push(text),
    debug: () => undefined,
  } as unknown as typeof silentLog;
  const alerts = {
    announce: (name: string, windows: readonly TimeRange[]) => void announced.set(name, windows),
  };
  const maintenance = new AnnouncedMaintenance({ venues: () => venues, alerts, clock, log });
  await maintenance.look(new AbortController().signal);
  await clock.advance(10_000);
  await maintenance.look(new AbortController().signal);
  expect([...announced.keys()]).toEqual(["okx"]);
  expect(announced.get("okx")?.toSorted((a, b) => a.startMs - b.startMs)).toEqual([
    { startMs: endless.startMs, endMs: endless.startMs + 12 * HOUR_MS },
    soon,
  ]);
  expect(said).toHaveLength(2);
});
