// The dashboard's overview in a real browser: until it is drawn, what its scripts cost, and whether it stays fluid while the
// prices of all markets move. Needs Debian's chromium, and a build (`npm run build`).
// npx tsx bench/dashboard.ts [--short]
import { fileURLToPath } from "node:url";
import type { Browser } from "playwright-core";
import { systemClock } from "../src/core/clock.js";
import { parseDecimal } from "../src/core/decimal.js";
import { silentLog } from "../src/core/log.js";
import type { MarketInfo } from "../src/core/model/market.js";
import type { Trade } from "../src/core/model/trade.js";
import { LiveHub } from "../src/pipeline/live-hub.js";
import type { Store, StoredMarket } from "../src/store/store.js";
import { startApi } from "../src/web/server.js";
import { launchChromium } from "../test/support/chromium.js";
import {
  IS_SHORT,
  makeCandles,
  median,
  MINUTE_MS,
  printTable,
  requireGoal,
  storeCandles,
  withStore,
} from "./support.js";

const SIZES = IS_SHORT ? [30] : [10, 100, 1_000];
const CANDLES = IS_SHORT ? 60 : 1_440;
const ROUNDS = IS_SHORT ? 1 : 3;
const LIVE_MS = IS_SHORT ? 2_000 : 15_000;
/** Of each market; the page is told the last price of each, four times a second. */
const TRADES_A_SECOND = 5;
const LONG_TASK_MS = 50;

interface Seen {
  /** First contentful paint, and until every market is known, ms from the beginning of the navigation. */
  readonly paintMs: number;
  readonly drawnMs: number;
  readonly scriptMs: number;
  readonly longTasksLoading: readonly number[];
  readonly longTasksLive: readonly number[];
  /** Prices on the page that changed while it was looked at. */
  readonly changes: number;
}

const rows: string[][] = [];
let worstLiveMs = 0;
for (const size of SIZES) {
  const seen = await withStore((store) => look(store, size));
  const of = (pick: (one: Seen) => number): string => median(seen.map(pick)).toFixed(0);
  const live = seen.flatMap(({ longTasksLive }) => longTasksLive);
  worstLiveMs = Math.max(worstLiveMs, ...live);
  rows.push([
    size.toLocaleString("en-US"),
    of(({ paintMs }) => paintMs),
    of(({ drawnMs }) => drawnMs),
    of(({ scriptMs }) => scriptMs),
    Math.max(0, ...seen.flatMap(({ longTasksLoading }) => longTasksLoading)).toFixed(0),
    `${live.length}, ${Math.max(0, ...live).toFixed(0)} ms`,
    of(({ changes }) => changes),
  ]);
}
printTable(
  `The overview, a day of 1m candles of every market, ${TRADES_A_SECOND} trades/s of each for ${LIVE_MS / 1_000} s, median of ${ROUNDS}; long tasks of all rounds.`,
  [
    "markets",
    "first paint, ms",
    "every market known, ms",
    "script until then, ms",
    "longest task until then, ms",
    "long tasks while live, longest",
    "prices seen to change",
  ],
  rows,
);
requireGoal(worstLiveMs <= LONG_TASK_MS, `no task over ${LONG_TASK_MS} ms while live`);

/** A browser of its own for each round, so that nothing is in its cache. */
async function look(store: Store, size: number): Promise<Seen[]> {
  const markets = await fill(store, size);
  const hub = new LiveHub();
  const server = await startApi({
    store,
    hub,
    version: "bench",
    log: silentLog,
    dashboardFolder: fileURLToPath(new URL("../dist/dashboard", import.meta.url)),
  });
  const timer = trade(hub, markets);
  try {
    const seen: Seen[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      const browser = await launchChromium();
      try {
        seen.push(await lookOnce(browser, server.url, size));
      } finally {
        await browser.close();
      }
    }
    return seen;
  } finally {
    clearInterval(timer);
    await server.close();
  }
}

async function lookOnce(browser: Browser, url: string, size: number): Promise<Seen> {
  const page = await browser.newPage({ viewport: { width: 1_400, height: 900 } });
  // Runs before the page's own scripts, in the page.
  await page.addInitScript(`
    globalThis.longTasks = [];
    new PerformanceObserver((list) => {
      for (const { startTime, duration } of list.getEntries()) longTasks.push([startTime, duration]);
    }).observe({ type: "longtask", buffered: true });
  `);
  const devtools = await page.context().newCDPSession(page);
  await devtools.send("Performance.enable");
  await page.goto(url);
  await page.getByText(`${size.toLocaleString("en-US")} markets`, { exact: true }).waitFor();
  await page.locator("table.markets tbody tr").nth(5).waitFor();
  const drawnMs = Number(await page.evaluate("performance.now()"));
  const { metrics } = await devtools.send("Performance.getMetrics");
  const script = metrics.find(({ name }) => name === "ScriptDuration")?.value ?? NaN;
  // Until the drawing itself is over.
  await page.waitForTimeout(500);
  const liveFromMs = Number(await page.evaluate("performance.now()"));
  await page.evaluate(`
    globalThis.changes = 0;
    new MutationObserver((list) => { changes += list.length; })
      .observe(document.querySelector("table.markets tbody"), { characterData: true, subtree: true });
  `);
  await page.waitForTimeout(LIVE_MS);
  const [paintMs, tasks, changes] = (await page.evaluate<unknown>(
    `[performance.getEntriesByName("first-contentful-paint")[0].startTime, longTasks, changes]`,
  )) as [number, [number, number][], number];
  const durations = (isWanted: (startMs: number) => boolean): number[] =>
    tasks.filter(([startMs]) => isWanted(startMs)).map(([, durationMs]) => durationMs);
  return {
    paintMs,
    drawnMs,
    scriptMs: script * 1_000,
    longTasksLoading: durations((startMs) => startMs < liveFromMs),
    longTasksLive: durations((startMs) => startMs >= liveFromMs),
    changes,
  };
}

async function fill(store: Store, size: number): Promise<StoredMarket[]> {
  const candles = makeCandles(CANDLES);
  const infos = Array.from({ length: size }, (_, i): MarketInfo => {
    const base = `C${String(i).padStart(4, "0")}`;
    return {
      symbol: `${base}/USDT`,
      nativeSymbol: `${base}USDT`,
      baseAsset: base,
      quoteAsset: "USDT",
      marketType: "spot",
      isActive: true,
    };
  });
  const markets = await store.putMarkets("binance", infos, { isSimulated: true });
  const endMs = Math.floor(systemClock.nowMs() / MINUTE_MS) * MINUTE_MS;
  const startMs = endMs - CANDLES * MINUTE_MS;
  const moved = candles.map((candle, i) => ({ ...candle, openTimeMs: startMs + i * MINUTE_MS }));
  for (const { id } of markets) {
    await storeCandles(store, id, moved);
  }
  return [...markets];
}

/** Ten times a second a part of the markets trades; each price is another than the one before. */
function trade(hub: LiveHub, markets: readonly StoredMarket[]): NodeJS.Timeout {
  let id = 0;
  return setInterval(() => {
    const timeMs = systemClock.nowMs();
    for (let i = 0; i < (markets.length * TRADES_A_SECOND) / 10; i++) {
      const market = markets[id % markets.length];
      const price = parseDecimal(`${40_000 + (id % 9_973)}.5`);
      const qty = parseDecimal("0.01634");
      if (market === undefined || price === undefined || qty === undefined) throw new Error("no trade");
      id++;
      const one: Trade = {
        kind: "trade",
        id,
        firstFillId: id,
        lastFillId: id,
        timeMs,
        microsecond: 0,
        price,
        qty,
        side: "buy",
      };
      hub.trade(market, one);
    }
  }, 100);
}
