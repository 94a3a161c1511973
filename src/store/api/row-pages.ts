// Pages of candles, trades and books as text, ready to be sent: the database writes the lines, and this process only
// passes them on. Keyset paging along the primary keys: a range of any length streams through one page of memory, and no
// connection is held while a slow reader takes his time.
import type { Pool } from "pg";
import type { TimeRange } from "../../core/range.js";
import { formatTime } from "../../core/time.js";
import type { Timeframe } from "../../core/timeframe.js";
import { timeOfMicroseconds } from "../microseconds.js";

export type RowLines = "json" | "csv";

/** Where a page ended: the time of its last row, and the id where several rows share a time. */
export interface RowPosition {
  /** Epoch microseconds. */
  readonly us: number;
  /** 0 where times are unique. */
  readonly id: number;
}

export interface RowPageRequest {
  readonly marketId: number;
  readonly range: TimeRange;
  readonly order: "asc" | "desc";
  readonly lines: RowLines;
  /** Between two lines. */
  readonly separator: string;
  readonly rowsMax: number;
  /** Undefined: from the beginning. */
  readonly after: RowPosition | undefined;
}

export interface RowPage {
  readonly rows: number;
  readonly text: string;
  /** Undefined for an empty page. */
  readonly last: RowPosition | undefined;
}

/** The columns of each kind of row, in the order of a CSV file. */
export const CSV_HEADERS = {
  candles: "open_time,open,high,low,close,volume,quote_volume,trade_count,source,revision,flags",
  trades: "time,trade_id,price,quantity,side,fills",
  books: "time,sequence,is_valid,bids,asks",
} as const;

/** Milliseconds only where there are any, as everywhere. */
const MILLISECONDS = (column: string): string =>
  `replace(to_char(${column}, 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"'), '.000Z', 'Z')`;
const MICROSECONDS = (column: string): string =>
  `regexp_replace(to_char(${column}, 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"'), '(\\.000)?000Z$', 'Z')`;
/** Epoch microseconds. */
export const US = (column: string): string => `(extract(epoch FROM ${column}) * 1000000)::bigint`;
const TEXT_OR_NULL = (column: string): string => `coalesce('"' || ${column} || '"', 'null')`;
const OR_NULL = (column: string): string => `coalesce(${column}::text, 'null')`;

/** One candle as a line, of the columns of `ohlcv`. */
export const CANDLE_LINES = {
  // Minutes have no fractions: half of what to_char costs.
  json: `concat('{"open_time":"', to_char(open_time, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), '","open":"', open, '","high":"', high,
    '","low":"', low, '","close":"', close, '","volume":"', volume, '","quote_volume":', ${TEXT_OR_NULL("quote_volume")},
    ',"trade_count":', ${OR_NULL("trade_count")}, ',"source":"', source, '","revision":', revision, ',"flags":', flags, '}')`,
  csv: `concat_ws(',', to_char(open_time, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), open, high, low, close, volume,
    coalesce(quote_volume::text, ''), coalesce(trade_count::text, ''), source, revision, flags)`,
} as const satisfies Record<RowLines, string>;

const TRADE_LINES = {
  json: `concat('{"time":"', ${MICROSECONDS("ts")}, '","trade_id":', trade_id, ',"price":"', price, '","quantity":"', quantity,
    '","side":"', side, '","fills":', fills, '}')`,
  csv: `concat_ws(',', ${MICROSECONDS("ts")}, trade_id, price, quantity, side, fills)`,
} as const satisfies Record<RowLines, string>;

const levels = (column: string, depth: string): string =>
  `coalesce(array_to_json((${column}[1:${depth}][1:2])::text[])::text, '[]')`;

const bookLines = (depth: string): Record<RowLines, string> => ({
  json: `concat('{"time":"', ${MILLISECONDS("ts")}, '","sequence":', sequence, ',"is_valid":', is_valid::text, ',"bids":', ${levels("bids", depth)},
    ',"asks":', ${levels("asks", depth)}, '}')`,
  csv: `concat_ws(',', ${MILLISECONDS("ts")}, sequence, is_valid::text, '"' || replace(${levels("bids", depth)}, '"', '""') || '"',
    '"' || replace(${levels("asks", depth)}, '"', '""') || '"')`,
});

export function candlePage(pool: Pool, timeframe: Timeframe, request: RowPageRequest): Promise<RowPage> {
  return run(pool, {
    request,
    table: "ohlcv",
    time: "open_time",
    id: "0",
    line: CANDLE_LINES[request.lines],
    and: "AND timeframe = $7",
    more: [timeframe],
  });
}

export function tradePage(pool: Pool, request: RowPageRequest): Promise<RowPage> {
  return run(pool, {
    request,
    table: "trades",
    time: "ts",
    id: "trade_id",
    line: TRADE_LINES[request.lines],
    and: "",
    more: [],
  });
}

/** More than any book has. */
const ALL_LEVELS = 2 ** 31 - 1;

/** @param depth levels a side; undefined for all that are stored */
export function bookPage(pool: Pool, depth: number | undefined, request: RowPageRequest): Promise<RowPage> {
  return run(pool, {
    request,
    table: "orderbook_snapshots",
    time: "ts",
    id: "0",
    line: bookLines("$7::int")[request.lines],
    and: "",
    more: [depth ?? ALL_LEVELS],
  });
}

async function run(
  pool: Pool,
  parts: {
    request: RowPageRequest;
    table: string;
    time: string;
    id: string;
    line: string;
    and: string;
    more: readonly unknown[];
  },
): Promise<RowPage> {
  const { request, table, time, id, line, and, more } = parts;
  const { order, range, after, lines } = request;
  const isAscending = order === "asc";
  const hasId = id !== "0";
  const values: unknown[] = [
    request.marketId,
    formatTime(range.startMs),
    formatTime(range.endMs),
    after ? timeOfMicroseconds(after.us) : null,
    request.rowsMax,
    request.separator,
    ...more,
  ];
  let beyond = "AND $4::text IS NULL";
  if (after) {
    const border = hasId ? `($4::timestamptz, $${values.push(after.id)}::bigint)` : "$4::timestamptz";
    beyond = `AND ${hasId ? `(${time}, ${id})` : time} ${isAscending ? ">" : "<"} ${border}`;
  }
  const ordered = hasId ? `${time} ${order}, ${id} ${order}` : `${time} ${order}`;
  const { rows } = await pool.query<{
    rows: number;
    text: string | null;
    us: number | null;
    id: number | null;
  }>({
    // Prepared once a connection: planning costs as much as a page of a hundred rows.
    name: `api ${table} ${lines} ${order} ${after ? "on" : "first"}`,
    text: `SELECT count(*)::int AS rows, string_agg(line, $6) AS text, ${US(`${isAscending ? "max" : "min"}(at)`)} AS us,
             ${hasId ? "(array_agg(id))[count(*)]" : "0"} AS id
           FROM (
             SELECT ${time} AS at, ${id} AS id, ${line} AS line FROM ${table}
             WHERE market_id = $1 ${and} AND ${time} >= $2 AND ${time} < $3 ${beyond} ORDER BY ${ordered} LIMIT $5
           ) page`,
    values,
  });
  const [row] = rows;
  if (!row || row.us === null) return { rows: 0, text: "", last: undefined };
  return { rows: row.rows, text: row.text ?? "", last: { us: row.us, id: row.id ?? 0 } };
}
