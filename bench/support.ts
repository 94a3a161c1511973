// What the benchmarks share: a database of their own, candles, medians, and one way to print a result.
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { systemClock } from "../src/core/clock.js";
import { parseDecimal, type Decimal } from "../src/core/decimal.js";
import { silentLog } from "../src/core/log.js";
import type { Candle } from "../src/core/model/candle.js";
import type { MarketInfo } from "../src/core/model/market.js";
import { seededRandom } from "../src/core/random.js";
import { openStore } from "../src/store/open-store.js";
import type { Store } from "../src/store/store.js";

export const MINUTE_MS = 60_000;
export const YEAR_START_MS = Date.UTC(2025, 0, 1);
export const YEAR_MINUTES = 525_600;
/** A short run shows that the benchmark works; only a full one gives figures. */
export const IS_SHORT = process.argv.includes("--short");
export const never = new AbortController().signal;

export const BTC_USDT: MarketInfo = {
  symbol: "BTC/USDT",
  nativeSymbol: "BTCUSDT",
  baseAsset: "BTC",
  quoteAsset: "USDT",
  marketType: "spot",
  isActive: true,
};

/** Opens an embedded store in a folder that is removed again. */
export async function withStore<T>(work: (store: Store, dataDir: string) => Promise<T>): Promise<T> {
  const dataDir = await mkdtemp(join(tmpdir(), "tickwell-bench-"));
  try {
    const store = await openStore("embedded", { dataDir, clock: systemClock, log: silentLog });
    try {
      return await work(store, dataDir);
    } finally {
      await store.close();
    }
  } finally {
    await rm(dataDir, { recursive: true, force: true });
  }
}

/** One-minute candles from the start of 2025, with prices and volumes of realistic length. */
export function makeCandles(count: number): Candle[] {
  const random = seededRandom(1);
  let cents = 9_400_000;
  return Array.from({ length: count }, (_, minute) => {
    const open = cents;
    cents += Math.round((random.next() - 0.5) * 8_000);
    const high = Math.max(open, cents) + Math.round(random.next() * 3_000);
    const low = Math.min(open, cents) - Math.round(random.next() * 3_000);
    const lots = 1_000 + Math.round(random.next() * 90_000_000);
    return {
      kind: "candle",
      openTimeMs: YEAR_START_MS + minute * MINUTE_MS,
      open: fixed(open, 2),
      high: fixed(high, 2),
      low: fixed(low, 2),
      close: fixed(cents, 2),
      volume: fixed(lots, 5),
      quoteVolume: fixed(lots * 94 + (cents % 100_000), 5),
      tradeCount: 100 + Math.round(random.next() * 3_000),
    };
  });
}

/** Stores 1m candles without a hole, proven, as a page of REST would be. */
export async function storeCandles(
  store: Store,
  marketId: number,
  candles: readonly Candle[],
): Promise<void> {
  const startMs = candles[0]?.openTimeMs ?? 0;
  const endMs = startMs + candles.length * MINUTE_MS;
  await store.expect({ marketId, timeframe: "1m" }, { startMs, endMs });
  await store.commit([
    {
      kind: "candles",
      marketId,
      timeframe: "1m",
      source: "rest",
      evidence: "rest_page",
      candles,
      voids: [],
      missing: [],
      rejected: [],
      receivedMs: endMs,
    },
  ]);
}

function fixed(units: number, digits: number): Decimal {
  const text = String(units).padStart(digits + 1, "0");
  const decimal = parseDecimal(`${text.slice(0, -digits)}.${text.slice(-digits)}`);
  if (decimal === undefined) throw new Error(`${units} is no number of units`);
  return decimal;
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? NaN;
}

/** `1234567` → `1,235 k` */
export function thousands(perSecond: number): string {
  return `${Math.round(perSecond / 1_000).toLocaleString("en-US")} k`;
}

/** Prints a table in Markdown, ready for bench/RESULTS.md. */
export function printTable(
  title: string,
  head: readonly string[],
  rows: readonly (readonly string[])[],
): void {
  const lines = [head, head.map(() => "---"), ...rows].map((cells) => `| ${cells.join(" | ")} |`);
  console.log(`\n${title}${IS_SHORT ? " (short run: no figures to quote)" : ""}\n\n${lines.join("\n")}`);
}

/** Fails the process when a goal was missed; a short run is too short to judge. */
export function requireGoal(isMet: boolean, goal: string): void {
  console.log(`${isMet ? "met" : "MISSED"}: ${goal}`);
  if (!isMet && !IS_SHORT) process.exitCode = 1;
}
