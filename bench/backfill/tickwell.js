// Contestant, in plain JavaScript as users run it: tickwell's own way from the exchange to committed rows with coverage.
import { systemClock } from "../../dist/src/core/clock.js";
import { silentLog } from "../../dist/src/core/log.js";
import { createExchange } from "../../dist/src/exchanges/registry.js";
import { Pipeline } from "../../dist/src/pipeline/pipeline.js";
import { openStore } from "../../dist/src/store/open-store.js";
import { backfillRange } from "../../dist/src/upkeep/backfill-range.js";
import { CandleKeeper } from "../../dist/src/upkeep/candle-keeper.js";

const MINUTE_MS = 60_000;
const YEAR_START_MS = Date.UTC(2025, 0, 1);
const never = new AbortController().signal;

const [, , restUrl = "", databaseUrl = "", rows = "0"] = process.argv;
const store = await openStore(databaseUrl);
const exchange = createExchange("binance", { restUrl, rateLimitShare: 1, bans: store.bans });
const startedMs = performance.now();

const [listed] = await exchange.fetchMarkets(never);
if (!listed) throw new Error("the exchange lists nothing");
const [market] = await store.putMarkets("binance", [listed], { isSimulated: true });
if (!market) throw new Error("the market was not stored");
const pipeline = new Pipeline({ store, clock: systemClock, log: silentLog, stageRowsMax: 40_000 });
const keeper = new CandleKeeper({
  store,
  stage: pipeline.stage,
  exchange,
  clock: systemClock,
  log: silentLog,
  concurrency: 4,
  voidConfirmAfterMs: 30_000,
});
const range = { startMs: YEAR_START_MS, endMs: YEAR_START_MS + Number(rows) * MINUTE_MS };
const outcome = await backfillRange(
  { keeper, clock: systemClock },
  { series: { market, timeframe: "1m" }, range },
  never,
);
await pipeline.close();

const elapsedMs = performance.now() - startedMs;
if (outcome.remaining.length > 0) throw new Error("the range is not complete");
await exchange.close();
await store.close();
console.log(JSON.stringify({ rows: outcome.candles, elapsedMs }));
