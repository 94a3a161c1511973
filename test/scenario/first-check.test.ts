// When a collector first says how good its data is, and to whom.
import { expect, it } from "vitest";
import { systemClock } from "../../src/core/clock.js";
import type { QualityReport } from "../../src/upkeep/quality/quality-report.js";
import { openWorld } from "../support/scenario-world.js";
import { until } from "../support/until.js";

it("scores are there soon after the first repairs, and nobody is woken by what is not fetched yet", async () => {
  const world = await openWorld({
    nowMs: systemClock.nowMs(),
    localClock: () => systemClock,
    exchange: { clock: systemClock },
    faults: [{ kind: "http_5xx", endpoint: "klines", symbols: ["ETH/USDT"] }],
  });
  world.isCheckedAtEachCommit = false;
  const raised: string[] = [];
  const collector = await world.collector(
    {
      mode: {
        history: { since: "6h" },
        live: false,
        intervals: { collect: "60s", backfill: "5m", quality: "10m" },
      },
      symbols: [{ symbol: "BTC/USDT" }, { symbol: "ETH/USDT" }],
      retry: { attempts: 1 },
    },
    {
      alerts: {
        raise: ({ key }) => void raised.push(key),
        resolve: () => undefined,
      },
    },
  );
  const reports: QualityReport[] = [];
  const stop = new AbortController();
  const running = collector.run(stop.signal, { onChecked: (report) => reports.push(report) });
  try {
    await until(() => reports.length > 0, { timeoutMs: 40_000, what: () => "the first check" });
  } finally {
    stop.abort(new Error("the test is over"));
    await running.catch(() => undefined);
  }
  const scores = reports[0]?.series.map((each) => [each.market, each.quality_score]);
  expect(scores).toEqual([
    ["binance:BTC/USDT", 100],
    ["binance:ETH/USDT", 0],
  ]);
  expect(raised.filter((key) => key.startsWith("quality:"))).toEqual([]);
});
