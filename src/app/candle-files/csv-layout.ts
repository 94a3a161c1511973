// What a CSV file's first line tells: the delimiter, whether it is a header, and which column holds what.
import { expandExponent, parseDecimal } from "../../core/decimal.js";
import { usageError } from "../arguments.js";
import { PLAIN_COLUMNS, PLAIN_FIELDS, type Columns } from "./file-row.js";
import { parseFileTime } from "./file-time.js";

export interface CsvLayout {
  readonly hasHeader: boolean;
  /** Fields every row must have. */
  readonly fields: number;
  readonly columns: Columns;
}

/** The market's currencies: some tools name the volume columns after them. */
export interface Assets {
  readonly baseAsset: string;
  readonly quoteAsset: string;
}

const DELIMITERS = [",", ";", "\t"] as const;

/** Names of each column without case, spaces and punctuation; where a file has several, the first named here counts. */
const NAMES = {
  time: ["opentime", "timestamp", "ts", "unix", "time", "datetime", "date"],
  open: ["open"],
  high: ["high"],
  low: ["low"],
  close: ["close"],
  volume: ["volume", "vol", "basevolume", "volumebase"],
} as const satisfies Partial<Record<keyof Columns, readonly string[]>>;
const QUOTE_VOLUME_NAMES = ["quotevolume", "quoteassetvolume", "volumequote"];
const TRADE_COUNT_NAMES = ["tradecount", "numberoftrades", "count", "trades"];

/** Binance's archives: open_time, o, h, l, c, v, close_time, quote_volume, count, taker volumes, ignore. */
const BINANCE_FIELDS = 12;
const BINANCE_COLUMNS: Columns = { ...PLAIN_COLUMNS, quoteVolume: 7, tradeCount: 8 };

/** The most frequent delimiter of a line; undefined when it holds none. */
export function detectDelimiter(line: string): string | undefined {
  const counts = DELIMITERS.map((delimiter) => ({ delimiter, count: line.split(delimiter).length - 1 }));
  const best = counts.reduce((a, b) => (b.count > a.count ? b : a));
  return best.count === 0 ? undefined : best.delimiter;
}

/**
 * Reads the first line's fields.
 * @throws TickwellError `config` when a column is missing
 */
export function readLayout(file: string, first: readonly string[], assets: Assets): CsvLayout {
  const isHeader = first.every((field) => parseDecimal(expandExponent(field)) === undefined);
  if (isHeader && !isRowWithBrokenNumbers(first)) {
    return { hasHeader: true, fields: first.length, columns: readHeader(file, first, assets) };
  }
  if (first.length < PLAIN_FIELDS) {
    throw usageError(
      `${file}: has no header, and its first line has ${first.length} fields: "${first.join(" ").slice(0, 80)}"; ` +
        "expected time, open, high, low, close, volume, or a header that names them",
    );
  }
  const columns = first.length === BINANCE_FIELDS ? BINANCE_COLUMNS : PLAIN_COLUMNS;
  return { hasHeader: false, fields: first.length, columns };
}

/** A first row may be broken like any other; what begins with a time is no header. */
function isRowWithBrokenNumbers(first: readonly string[]): boolean {
  return parseFileTime(first[0] ?? "") !== undefined;
}

function readHeader(file: string, header: readonly string[], { baseAsset, quoteAsset }: Assets): Columns {
  const known = header.map((name) => plain(name));
  const find = (names: readonly string[]): number | undefined => {
    const at = names.map((name) => known.indexOf(name)).find((index) => index >= 0);
    return at;
  };
  const columns = {
    time: find(NAMES.time),
    open: find(NAMES.open),
    high: find(NAMES.high),
    low: find(NAMES.low),
    close: find(NAMES.close),
    volume: find([...NAMES.volume, plain(`volume${baseAsset}`)]),
  };
  const missing = Object.entries(columns).filter(([, at]) => at === undefined);
  const { time, open, high, low, close, volume } = columns;
  if (
    time === undefined ||
    open === undefined ||
    high === undefined ||
    low === undefined ||
    close === undefined ||
    volume === undefined
  ) {
    throw usageError(
      `${file}: its first line names "${header.join(", ").slice(0, 200)}"; ` +
        `no column for ${missing.map(([name]) => name).join(", ")}; ` +
        "expected a header with time (or timestamp, date, open_time …), open, high, low, close and volume",
    );
  }
  return {
    time,
    open,
    high,
    low,
    close,
    volume,
    quoteVolume: find([...QUOTE_VOLUME_NAMES, plain(`volume${quoteAsset}`)]),
    tradeCount: find(TRADE_COUNT_NAMES),
  };
}

function plain(name: string): string {
  return name.toLowerCase().replace(/[^a-z0-9]/g, "");
}
