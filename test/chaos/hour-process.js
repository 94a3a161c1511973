// A part of the collector as a process of its own, on a clock that runs fast: `collector` follows and repairs every market of two
// venues, and writes; `writer` only writes, from the same stage. Ends on SIGTERM with everything stored. Argument: JSON.
import { scaledClock } from "../../src/core/clock.ts";
import { createLog } from "../../src/core/log.ts";
import { seededRandom } from "../../src/core/random.ts";
import { createExchange } from "../../src/exchanges/registry.ts";
import { Pipeline } from "../../src/pipeline/pipeline.ts";
import { RedisStage } from "../../src/pipeline/stage/redis-stage.ts";
import { openStore } from "../../src/store/open-store.ts";
import { Collector } from "../../src/app/collector.ts";
import { resolveCollector } from "../../src/app/config-resolve.ts";
import { collectorSchema } from "../../src/app/config-schema.ts";

const options = JSON.parse(process.argv[2]);
const { role, databaseUrl, redisUrl, exchangeUrl, symbols, startMs, originMs, factor, seed, book } = options;
const clock = scaledClock({ startMs: startMs + (Date.now() - originMs) * factor, factor });
const log = createLog({ level: "info", isPretty: false, hasColor: false });
const stop = new AbortController();
process.on("SIGTERM", () => stop.abort(new Error("told to stop")));

const store = await openStore(databaseUrl);
const stage = new RedisStage({ url: redisUrl, rowsMax: 100_000, clock, log, claimAfterMs: 3_000 });
const pipeline = new Pipeline({ store, clock, log, stageRowsMax: 0, stage });
pipeline.failure.addEventListener("abort", () => stop.abort(pipeline.failure.reason), { once: true });

async function collect() {
  const exchanges = [];
  const collectors = Object.entries(symbols).map(([name, own]) => {
    const config = resolveCollector(
      collectorSchema.parse({
        exchange: { name, rest_url: exchangeUrl, ws_url: exchangeUrl.replace("http", "ws") },
        symbols: own.map((symbol) => ({
          symbol,
          timeframes: ["1m"],
          channels: ["candles", "trades", "book"],
          book,
        })),
        mode: { history: { since: new Date(startMs).toISOString() } },
        request: { timeout: "3s" },
      }),
      name,
    );
    const exchange = createExchange(name, {
      restUrl: exchangeUrl,
      clock,
      rateLimitShare: 1,
      timeoutMs: config.request.timeoutMs,
      random: seededRandom(seed),
      bans: store.bans,
      log,
    });
    exchanges.push(exchange);
    return new Collector({
      config,
      exchange,
      store,
      pipeline,
      clock,
      log,
      random: seededRandom(seed),
      isSimulated: true,
    });
  });
  try {
    await Promise.all(collectors.map((each) => each.run(stop.signal)));
  } finally {
    await Promise.all(exchanges.map((each) => each.close()));
  }
}

process.stdout.write("ready\n");
try {
  if (role === "collector") await collect();
  else await new Promise((resolve) => stop.signal.addEventListener("abort", resolve, { once: true }));
} catch (error) {
  if (!stop.signal.aborted) throw error;
} finally {
  await pipeline.close();
  await store.close();
}
