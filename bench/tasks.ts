// The queue of backfill tasks: planning ten thousand gaps, planning them again, and working off what was planned. Every
// statement is counted on its way to the server.
// npx tsx bench/tasks.ts [--short]
import { Client, Pool, types } from "pg";
import { Database } from "../src/store/database.js";
import type { SeriesKey } from "../src/store/store.js";
import { PostgresTaskQueue } from "../src/store/task-queue.js";
import { BTC_USDT, IS_SHORT, median, printTable, requireGoal, withStore } from "./support.js";

const ROUNDS = IS_SHORT ? 1 : 5;
const SERIES = IS_SHORT ? 100 : 1_000;
const GAPS_A_SERIES = 10;
const GAPS = SERIES * GAPS_A_SERIES;
const CLAIMED = IS_SHORT ? 100 : 1_000;
const WORKERS = 4;
const OID_INT8 = 20;
const LEASE = { worker: "bench", leaseMs: 60_000 };

await withStore(async (store) => {
  // Reads counts as numbers, as the store's own pool does; times are not looked at.
  const getTypeParser = (oid: number): ((text: string) => unknown) =>
    oid === OID_INT8 ? Number : (types.getTypeParser(oid) as (text: string) => unknown);
  const pool = new Pool({
    connectionString: store.connectionString,
    max: WORKERS,
    types: { getTypeParser },
  });
  const trips = countTrips(pool);
  const queue = new PostgresTaskQueue(new Database(pool));
  const markets = Array.from({ length: SERIES }, (_, i) => ({ ...BTC_USDT, symbol: `M${i}/USDT` }));
  const stored = await store.putMarkets("binance", markets, { isSimulated: true });
  const series: SeriesKey[] = stored.map(({ id }) => ({ marketId: id, timeframe: "1m" }));
  await fillLedger(store.connectionString);

  const first: number[] = [];
  const second: number[] = [];
  let firstTrips = 0;
  let secondTrips = 0;
  for (let round = 0; round < ROUNDS; round++) {
    await pool.query("TRUNCATE backfill_tasks");
    trips.count = 0;
    first.push(await timed(async () => requireTasks((await queue.plan({ series })).tasks, GAPS)));
    firstTrips = trips.count;
    trips.count = 0;
    second.push(await timed(async () => requireTasks((await queue.plan({ series })).tasks, 0)));
    secondTrips = trips.count;
  }

  // As autovacuum does within the minute.
  await pool.query("VACUUM ANALYZE backfill_tasks");
  const onceMs = await timed(() => claimAndFinish(queue, CLAIMED));
  const sideBySideMs = await timed(async () => {
    await Promise.all(Array.from({ length: WORKERS }, () => claimAndFinish(queue, CLAIMED / WORKERS)));
  });
  requireTasks((await queue.count()).completed, 2 * CLAIMED);
  await pool.end();

  const perSecond = (ms: number): string => `${Math.round(CLAIMED / (ms / 1_000)).toLocaleString("en-US")}/s`;
  const row = (what: string, ms: number, count: string): string[] => [what, `${ms.toFixed(0)} ms`, count];
  printTable(
    `${GAPS.toLocaleString("en-US")} gaps of ${SERIES.toLocaleString("en-US")} series, median of ${ROUNDS}`,
    ["what", "time", "round trips, or rate"],
    [
      row("planning every gap", median(first), `${firstTrips}`),
      row("planning again: nothing to do", median(second), `${secondTrips}`),
      row(`claim + finish, ${CLAIMED.toLocaleString("en-US")} tasks, one worker`, onceMs, perSecond(onceMs)),
      row(
        `claim + finish, ${CLAIMED.toLocaleString("en-US")} tasks, ${WORKERS} workers`,
        sideBySideMs,
        perSecond(sideBySideMs),
      ),
    ],
  );
  requireGoal(firstTrips === Math.ceil(SERIES / 500), "one round trip for 500 series");
});

/** Three days of 1m candles a series, whole but for its gaps of three minutes. */
async function fillLedger(connectionString: string): Promise<void> {
  const client = new Client({ connectionString });
  await client.connect();
  await client.query(
    `INSERT INTO series (market_id, data_type, timeframe, expected)
     SELECT id, 'ohlcv', '1m', tstzmultirange(tstzrange('2025-01-01Z', '2025-01-04Z')) FROM markets`,
  );
  await client.query(
    `INSERT INTO coverage (market_id, data_type, timeframe, start_time, end_time, evidence, records)
     SELECT market_id, 'ohlcv', '1m', from_time, to_time, 'rest_page', extract(epoch FROM to_time - from_time) / 60
     FROM (
       SELECT m.id AS market_id,
              timestamptz '2025-01-01Z' + make_interval(mins => n * step + CASE WHEN n = 0 THEN 0 ELSE 3 END) AS from_time,
              timestamptz '2025-01-01Z' + make_interval(mins => CASE WHEN n = $1 THEN 4320 ELSE (n + 1) * step END) AS to_time
       FROM markets m, generate_series(0, $1::int) AS n, (SELECT (4320 / ($1::int + 1)) AS step) AS steps
     ) ranges`,
    [GAPS_A_SERIES],
  );
  await client.query("ANALYZE");
  await client.end();
}

async function claimAndFinish(queue: PostgresTaskQueue, tasks: number): Promise<void> {
  for (let done = 0; done < tasks; done++) {
    const [task] = await queue.claim(LEASE);
    if (!task) throw new Error(`claimed ${done} tasks, expected ${tasks}`);
    if (!(await queue.finish(task, { status: "completed" }))) throw new Error("the task was lost");
  }
}

/** Counts what is sent through the pool. */
function countTrips(pool: Pool): { count: number } {
  const trips = { count: 0 };
  pool.on("connect", (client) => {
    const query = client.query.bind(client) as (...args: unknown[]) => unknown;
    Object.assign(client, {
      query: (...args: unknown[]) => {
        trips.count++;
        return query(...args);
      },
    });
  });
  return trips;
}

async function timed(work: () => Promise<void>): Promise<number> {
  const startedMs = performance.now();
  await work();
  return performance.now() - startedMs;
}

function requireTasks(found: number, expected: number): void {
  if (found !== expected) throw new Error(`found ${found} tasks, expected ${expected}`);
}
