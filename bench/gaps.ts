// Gap detection: what it costs by gaps and by rows. The ledger holds ranges, so a market with ten times the minutes costs
// the same; for contrast, the set difference over rows that a plain table of candles would need.
// npx tsx bench/gaps.ts [--short]
import { Client } from "pg";
import type { Store } from "../src/store/store.js";
import { BTC_USDT, IS_SHORT, median, printTable, requireGoal, withStore } from "./support.js";

const ROUNDS = IS_SHORT ? 1 : 7;
const MARKETS = IS_SHORT ? 100 : 1_000;
const DAY_MINUTES = 1_440;

/** Days of 1m candles a market, and gaps over all markets. */
const SIZES = [
  { days: 3, gaps: MARKETS },
  { days: 30, gaps: MARKETS },
  { days: 300, gaps: MARKETS },
  { days: 30, gaps: MARKETS * 10 },
  { days: 30, gaps: MARKETS * 100 },
] as const;

await withStore(async (store) => {
  const client = new Client({ connectionString: store.connectionString });
  await client.connect();
  const symbols = Array.from({ length: MARKETS }, (_, i) => ({
    ...BTC_USDT,
    symbol: `M${i}/USDT`,
    nativeSymbol: `M${i}USDT`,
  }));
  await store.putMarkets("binance", symbols, { isSimulated: true });
  const timesMs: number[] = [];
  for (const size of SIZES) {
    await fillLedger(client, size);
    timesMs.push(await detect(store, size.gaps));
  }
  const overRowsMs = await setDifferenceOverRows(client);
  await client.end();

  const [first = NaN] = timesMs;
  printTable(
    `Finding every gap of ${MARKETS.toLocaleString("en-US")} markets, median of ${ROUNDS}`,
    ["1m candles spoken for", "gaps", "time", "ratio", "a gap"],
    [
      ...SIZES.map(({ days, gaps }, i) => [
        (MARKETS * days * DAY_MINUTES).toLocaleString("en-US"),
        gaps.toLocaleString("en-US"),
        `${(timesMs[i] ?? NaN).toFixed(1)} ms`,
        ((timesMs[i] ?? NaN) / first).toFixed(2),
        `${(((timesMs[i] ?? NaN) / gaps) * 1_000).toFixed(0)} µs`,
      ]),
      ["one market only: 43,200 rows, set difference over rows", "1", `${overRowsMs.toFixed(1)} ms`, "", ""],
    ],
  );
  requireGoal(
    (timesMs[2] ?? NaN) / first < 2,
    "a hundred times the candles with the same gaps costs less than twice",
  );
});

/** Expectations and coverage as the pipeline would have left them: each market whole but for its gaps of three minutes. */
async function fillLedger(client: Client, { days, gaps }: { days: number; gaps: number }): Promise<void> {
  await client.query("TRUNCATE coverage, gap_log, series");
  await client.query(
    `INSERT INTO series (market_id, data_type, timeframe, expected)
     SELECT id, 'ohlcv', '1m', tstzmultirange(tstzrange('2025-01-01Z', timestamptz '2025-01-01Z' + make_interval(days => $1))) FROM markets`,
    [days],
  );
  // n gaps of three minutes leave n + 1 ranges, evenly spread.
  await client.query(
    `INSERT INTO coverage (market_id, data_type, timeframe, start_time, end_time, evidence, records)
     SELECT market_id, 'ohlcv', '1m', from_time, to_time, 'rest_page', extract(epoch FROM to_time - from_time) / 60
     FROM (
       SELECT m.id AS market_id,
              timestamptz '2025-01-01Z' + make_interval(mins => n * step + CASE WHEN n = 0 THEN 0 ELSE 3 END) AS from_time,
              timestamptz '2025-01-01Z' + make_interval(mins => CASE WHEN n = $2 THEN $1 ELSE (n + 1) * step END) AS to_time
       FROM markets m, generate_series(0, $2::int) AS n, (SELECT ($1::int / ($2::int + 1)) AS step) AS steps
     ) ranges`,
    [days * DAY_MINUTES, gaps / MARKETS],
  );
  await client.query("ANALYZE coverage, series");
}

async function detect(store: Store, expected: number): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const startedMs = performance.now();
    const found = await store.gaps({});
    times.push(performance.now() - startedMs);
    if (found.length !== expected) throw new Error(`found ${found.length} gaps, expected ${expected}`);
  }
  return median(times);
}

/** What a table without a ledger has to do, for one market of thirty days. */
async function setDifferenceOverRows(client: Client): Promise<number> {
  await client.query(
    `INSERT INTO ohlcv (market_id, timeframe, open_time, source, open, high, low, close, volume)
     SELECT (SELECT min(id) FROM markets), '1m', t, 'rest', 1, 1, 1, 1, 1
     FROM generate_series(timestamptz '2025-01-01Z', timestamptz '2025-01-30 23:59Z', interval '1 minute') t WHERE t <> '2025-01-15Z'`,
  );
  await client.query("ANALYZE ohlcv");
  const times: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    const startedMs = performance.now();
    const { rows } = await client.query(
      `SELECT t FROM generate_series(timestamptz '2025-01-01Z', timestamptz '2025-01-30 23:59Z', interval '1 minute') t
       EXCEPT SELECT open_time FROM ohlcv WHERE market_id = (SELECT min(id) FROM markets) AND timeframe = '1m'`,
    );
    times.push(performance.now() - startedMs);
    if (rows.length !== 1) throw new Error(`found ${rows.length} gaps, expected 1`);
  }
  return median(times);
}
