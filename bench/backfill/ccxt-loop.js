// Contestant, in plain JavaScript as users run it: the loop found in most projects that collect candles today: ccxt's fetchOHLCV page by page, and one
// multi-row INSERT … ON CONFLICT a page.
import ccxt from "ccxt";
import { Pool } from "pg";

const MINUTE_MS = 60_000;
const YEAR_START_MS = Date.UTC(2025, 0, 1);

const [, , restUrl = "", databaseUrl = "", rows = "0", limiter] = process.argv;
const exchange = new ccxt.binance({
  enableRateLimit: limiter === "--limiter",
  options: { defaultType: "spot", fetchMarkets: { types: ["spot"] } },
});
const urls = exchange.urls;
urls.api.public = `${restUrl}/api/v3`;
const pool = new Pool({ connectionString: databaseUrl });
const endMs = YEAR_START_MS + Number(rows) * MINUTE_MS;
const startedMs = performance.now();

await exchange.loadMarkets();
let stored = 0;
for (let sinceMs = YEAR_START_MS; sinceMs < endMs;) {
  const page = await exchange.fetchOHLCV(
    "BTC/USDT",
    "1m",
    sinceMs,
    Math.min(1_000, (endMs - sinceMs) / MINUTE_MS),
  );
  const last = page.at(-1)?.[0];
  if (last === undefined) break;
  const values = [];
  const tuples = page.map(([time, open, high, low, close, volume]) => {
    const at = values.push("BTC/USDT", "1m", new Date(time ?? 0), open, high, low, close, volume) - 8;
    return `($${at + 1},$${at + 2},$${at + 3},$${at + 4},$${at + 5},$${at + 6},$${at + 7},$${at + 8})`;
  });
  await pool.query(
    `INSERT INTO loop_candles (symbol, timeframe, open_time, open, high, low, close, volume) VALUES ${tuples.join(",")}
     ON CONFLICT (symbol, timeframe, open_time) DO UPDATE SET open = EXCLUDED.open, high = EXCLUDED.high, low = EXCLUDED.low, close = EXCLUDED.close, volume = EXCLUDED.volume`,
    values,
  );
  stored += page.length;
  sinceMs = last + MINUTE_MS;
}

const elapsedMs = performance.now() - startedMs;
await pool.end();
console.log(JSON.stringify({ rows: stored, elapsedMs }));
