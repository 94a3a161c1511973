// From the socket to the committed row: trades of twenty markets sent by a process of its own over a real WebSocket, followed by the live
// feed, staged in memory or in Redis, written to an embedded PostgreSQL with fsync on. The lag of a trade is the time from its sending to
// the end of the commit that holds it; what the feed waits on purpose to hand on many at once (a quarter of a second) is in it.
// npx tsx bench/latency.ts [--short] [--rates=1000,10000]
import { fork, type ChildProcess } from "node:child_process";
import { resolve } from "node:path";
import { performance } from "node:perf_hooks";
import { systemClock } from "../src/core/clock.js";
import { silentLog } from "../src/core/log.js";
import { systemRandom } from "../src/core/random.js";
import { createExchange } from "../src/exchanges/registry.js";
import { ExchangeClock } from "../src/pipeline/feed/exchange-clock.js";
import { LiveFeed } from "../src/pipeline/feed/live/live-feed.js";
import { DEFAULT_VALIDATION } from "../src/pipeline/gate/validation.js";
import { Pipeline } from "../src/pipeline/pipeline.js";
import { RedisStage } from "../src/pipeline/stage/redis-stage.js";
import type { Store } from "../src/store/store.js";
import { hasRedis, startRedis } from "../test/support/redis-server.js";
import { BTC_USDT, IS_SHORT, printTable, withStore } from "./support.js";

const chosen = process.argv.find((argument) => argument.startsWith("--rates="));
const RATES = chosen
  ? chosen.slice("--rates=".length).split(",").map(Number)
  : IS_SHORT
    ? [1_000]
    : [1_000, 10_000, 25_000, 50_000];
const SECONDS = IS_SHORT ? 3 : 60;
const STAGE_ROWS_MAX = 200_000;
/** How long what is under way at the end may take to arrive. */
const DRAIN_MS = 15_000;

interface Sender {
  readonly url: string;
  readonly markets: number;
  /** @returns how many were sent */
  send(rate: number, seconds: number): Promise<number>;
  close(): void;
}

async function startSender(): Promise<Sender> {
  const child: ChildProcess = fork(resolve(import.meta.dirname, "latency-server.js"));
  const next = <T>(): Promise<T> =>
    new Promise((done) => child.once("message", (message) => done(message as T)));
  const { port, markets } = await next<{ port: number; markets: number }>();
  return {
    url: `http://127.0.0.1:${port}`,
    markets,
    async send(rate, seconds) {
      child.send({ rate, seconds });
      return (await next<{ sent: number }>()).sent;
    },
    close: () => child.kill(),
  };
}

interface Measured {
  readonly sent: number;
  readonly committed: number;
  readonly p50: number;
  readonly p99: number;
  /** Resident memory in the middle and at the end, MB. */
  readonly memory: readonly [number, number];
}

/** One rate through one stage, in a store of its own. */
async function measure(store: Store, redisUrl: string | undefined, rate: number): Promise<Measured> {
  const sender = await startSender();
  const exchange = createExchange("binance", { restUrl: sender.url });
  const markets = await store.putMarkets(
    "binance",
    Array.from({ length: sender.markets }, (_, i) => ({
      ...BTC_USDT,
      symbol: `M${i}/USDT`,
      nativeSymbol: `M${i}USDT`,
    })),
    { isSimulated: true },
  );
  const lagsMs: number[] = [];
  let committed = 0;
  const pipeline = new Pipeline({
    store,
    clock: systemClock,
    log: silentLog,
    stageRowsMax: STAGE_ROWS_MAX,
    ...(redisUrl === undefined
      ? {}
      : {
          stage: new RedisStage({
            url: redisUrl,
            rowsMax: STAGE_ROWS_MAX,
            clock: systemClock,
            log: silentLog,
            prefix: `r${rate}`,
          }),
        }),
    onCommit: (_result, staged) => {
      const nowMs = performance.timeOrigin + performance.now();
      for (const { batch } of staged) {
        if (batch.kind !== "trades") continue;
        committed += batch.trades.length;
        // Every tenth is enough to know the percentiles.
        for (let i = 0; i < batch.trades.length; i += 10) {
          const trade = batch.trades[i];
          if (trade) lagsMs.push(nowMs - trade.timeMs - trade.microsecond / 1_000);
        }
      }
    },
  });
  const feed = new LiveFeed({
    exchange,
    wsUrl: sender.url.replace("http", "ws"),
    markets: markets.map((market) => ({
      market,
      trades: true,
      book: undefined,
      timeframes: [],
      validation: DEFAULT_VALIDATION,
    })),
    store,
    stage: pipeline.stage,
    clock: systemClock,
    exchangeClock: new ExchangeClock({ exchange, clock: systemClock, log: silentLog }),
    random: systemRandom,
    log: silentLog,
  });
  const stop = new AbortController();
  const running = feed.run(stop.signal, AbortSignal.timeout(10 * 60_000));
  running.catch(() => undefined);
  try {
    while (feed.connections().length === 0) await systemClock.sleep(20);
    await systemClock.sleep(1_000);
    const sending = sender.send(rate, SECONDS);
    await systemClock.sleep((SECONDS * 1_000) / 2);
    const middleMb = process.memoryUsage.rss() / 2 ** 20;
    const sent = await sending;
    const endMb = process.memoryUsage.rss() / 2 ** 20;
    for (const endMs = systemClock.nowMs() + DRAIN_MS; committed < sent && systemClock.nowMs() < endMs;)
      await systemClock.sleep(50);
    lagsMs.sort((a, b) => a - b);
    const at = (share: number): number => lagsMs[Math.floor(share * lagsMs.length)] ?? NaN;
    return { sent, committed, p50: at(0.5), p99: at(0.99), memory: [middleMb, endMb] };
  } finally {
    stop.abort(new Error("measured"));
    await running.catch(() => undefined);
    await pipeline.close();
    await exchange.close();
    sender.close();
  }
}

const rows: string[][] = [];
const redis = hasRedis ? await startRedis() : undefined;
if (!redis) console.log("skipped: the stage in Redis, for redis-server is not installed");
try {
  for (const stage of redis ? (["memory", "redis"] as const) : (["memory"] as const)) {
    for (const rate of RATES) {
      const measured = await withStore((store) =>
        measure(store, stage === "redis" ? redis?.url : undefined, rate),
      );
      const { sent, committed, p50, p99, memory } = measured;
      const isHeld = committed === sent && sent >= 0.98 * rate * SECONDS;
      rows.push([
        stage,
        rate.toLocaleString("en"),
        sent.toLocaleString("en"),
        committed.toLocaleString("en"),
        isHeld ? "yes" : "no",
        `${p50.toFixed(0)} ms`,
        `${p99.toFixed(0)} ms`,
        `${memory[0].toFixed(0)} → ${memory[1].toFixed(0)} MB`,
      ]);
      if (committed > sent) throw new Error(`${committed} trades were stored of ${sent}`);
    }
  }
} finally {
  await redis?.remove();
}
printTable(
  `From the socket to the committed row, ${SECONDS} s each`,
  ["stage", "messages/s", "sent", "stored", "held", "p50", "p99", "memory, half-way → end"],
  rows,
);
