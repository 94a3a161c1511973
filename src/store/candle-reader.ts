// Reads stored candles in order, page by page along the primary key, so that a range of any length streams through
// bounded memory and no transaction is held open while a slow consumer writes.
import type { Pool } from "pg";
import { CANDLE_FLAGS } from "../core/model/candle-flags.js";
import type { TimeRange } from "../core/range.js";
import { formatTime } from "../core/time.js";
import { databaseError } from "./database-error.js";
import type { SeriesKey, StoredCandle } from "./store.js";

const PAGE_ROWS = 5_000;
const SELECTED = "open_time, open, high, low, close, volume, quote_volume, trade_count, source, revision";

/** Pages of candles with `startMs <= openTimeMs < endMs`, ascending. */
export async function* readCandles(
  pool: Pool,
  key: SeriesKey,
  range: TimeRange,
  signal: AbortSignal,
): AsyncGenerator<readonly StoredCandle[]> {
  let fromMs = range.startMs;
  while (true) {
    signal.throwIfAborted();
    const page = await readPage(pool, key, { startMs: fromMs, endMs: range.endMs });
    if (page.length > 0) yield page;
    const last = page.at(-1);
    if (!last || page.length < PAGE_ROWS) return;
    fromMs = last.openTimeMs + 1;
  }
}

/** The last `count` candles before `beforeMs`, ascending; those whose own figures contradict each other are left out. */
export async function readRecentCandles(
  pool: Pool,
  key: SeriesKey,
  { beforeMs, count }: { beforeMs: number; count: number },
): Promise<StoredCandle[]> {
  const { rows } = await pool.query<CandleRow>(
    `SELECT ${SELECTED} FROM ohlcv
     WHERE market_id = $1 AND timeframe = $2 AND open_time < $3 AND flags & ${CANDLE_FLAGS.rule_broken} = 0
     ORDER BY open_time DESC LIMIT $4`,
    [key.marketId, key.timeframe, formatTime(beforeMs), count],
  );
  return rows.reverse().map(toStored);
}

async function readPage(pool: Pool, key: SeriesKey, range: TimeRange): Promise<StoredCandle[]> {
  try {
    const { rows } = await pool.query<CandleRow>(
      `SELECT ${SELECTED} FROM ohlcv
       WHERE market_id = $1 AND timeframe = $2 AND open_time >= $3 AND open_time < $4 ORDER BY open_time LIMIT ${PAGE_ROWS}`,
      [key.marketId, key.timeframe, formatTime(range.startMs), formatTime(range.endMs)],
    );
    return rows.map(toStored);
  } catch (error) {
    throw databaseError(error, "read candles");
  }
}

interface CandleRow {
  readonly open_time: number;
  readonly open: string;
  readonly high: string;
  readonly low: string;
  readonly close: string;
  readonly volume: string;
  readonly quote_volume: string | null;
  readonly trade_count: number | null;
  readonly source: string;
  readonly revision: number;
}

function toStored(row: CandleRow): StoredCandle {
  return {
    openTimeMs: row.open_time,
    open: row.open,
    high: row.high,
    low: row.low,
    close: row.close,
    volume: row.volume,
    quoteVolume: row.quote_volume,
    tradeCount: row.trade_count,
    source: row.source,
    revision: row.revision,
  };
}
