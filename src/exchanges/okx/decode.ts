// OKX's rows and lists into records. In: parsed JSON, not believed; every scalar is text. Out: candle and trade
// candidates, and markets.
import { z } from "zod";
import { parseDecimal, type Decimal } from "../../core/decimal.js";
import type { CandleCandidate } from "../../core/model/candle.js";
import type { MarketInfo } from "../../core/model/market.js";
import type { TradeCandidate } from "../../core/model/trade.js";
import { describeIssue } from "../describe-issue.js";
import { malformed } from "../malformed.js";
import { multiplyDecimals } from "../../core/multiply-decimals.js";
import type { TimeRange } from "../../core/range.js";
import { asObject } from "../wire-fields.js";

/**
 * The list in an answer: `{"code":"0","msg":"","data":[…]}`.
 * @throws TickwellError `malformed_payload`
 */
export function decodeEnvelope(json: unknown): readonly unknown[] {
  if (typeof json === "object" && json !== null && "code" in json && "data" in json) {
    if (json.code === "0" && Array.isArray(json.data)) return json.data;
  }
  throw malformed("$.data", `expected {"code":"0","data":[…]}, found something else`);
}

const NO_FIELDS: readonly unknown[] = [];

/**
 * A candle as documented:
 * ```json
 * ["1747094040000", "102806.1", "102820.4", "102806.1", "102820.4", "1040.37", "10.4037", "1069603.34883", "1"]
 * ```
 * Open time, open, high, low, close, three volumes, and "1" when it is closed. On the spot market the volumes are base,
 * quote, quote; of a linear swap they are contracts, base, quote.
 * @see https://www.okx.com/docs-v5/en/#order-book-trading-market-data-get-candlesticks
 */
export function decodeCandle(raw: unknown, { isSwap }: { isSwap: boolean }): CandleCandidate {
  const row: readonly unknown[] = Array.isArray(raw) ? raw : NO_FIELDS;
  return {
    openTimeMs: decodeInteger(row[0]),
    open: text(row[1]),
    high: text(row[2]),
    low: text(row[3]),
    close: text(row[4]),
    volume: text(isSwap ? row[6] : row[5]),
    quoteVolume: text(row[7]),
    tradeCount: null,
    isClosed: row[8] === "1" ? true : row[8] === "0" ? false : undefined,
    raw,
  };
}

/**
 * A trade as documented; `sz` counts contracts where there are any, and `side` is the taker's:
 * ```json
 * { "instId": "BTC-USDT", "side": "sell", "sz": "0.00013669", "px": "102537.9", "tradeId": "734864333", "ts": "1747087163557" }
 * ```
 * @param contractSize base units of one contract; undefined on the spot market
 * @throws TickwellError `malformed_payload` for a trade of another market
 */
export function decodeTrade(
  raw: unknown,
  { nativeSymbol, contractSize }: { nativeSymbol: string; contractSize: Decimal | undefined },
): TradeCandidate {
  const row: Readonly<Record<string, unknown>> = typeof raw === "object" && raw !== null ? { ...raw } : {};
  if (row.instId !== undefined && row.instId !== nativeSymbol)
    throw malformed(
      "$.data[].instId",
      `expected trades of ${nativeSymbol}, found one of ${JSON.stringify(row.instId)}`,
    );
  const id = decodeInteger(row.tradeId);
  return {
    id,
    firstFillId: id,
    lastFillId: id,
    timeMs: decodeInteger(row.ts),
    price: text(row.px),
    qty: baseQty(text(row.sz), contractSize),
    side: row.side === "buy" || row.side === "sell" ? row.side : undefined,
    raw,
  };
}

/** Text that is no decimal goes through as it is: the gate says what is wrong with it. */
function baseQty(sz: string | undefined, contractSize: Decimal | undefined): string | undefined {
  if (sz === undefined || contractSize === undefined) return sz;
  const contracts = parseDecimal(sz);
  return contracts === undefined ? sz : (multiplyDecimals(contracts, contractSize) ?? sz);
}

/** @throws TickwellError `malformed_payload` */
export function decodeServerTime(json: unknown): number {
  const entry = decodeEnvelope(json)[0];
  const timeMs =
    typeof entry === "object" && entry !== null && "ts" in entry ? decodeInteger(entry.ts) : undefined;
  if (timeMs !== undefined && timeMs > 0) return timeMs;
  throw malformed("$.data[0].ts", "$.data[0].ts is not a time in whole milliseconds");
}

/** WebSocket, trading, trading by products, others: what touches market data. Loans, copy trading and the like do not. */
const STATUS_SERVICES = new Set(["0", "5", "9", "99"]);
const STATUS_STATES = new Set(["scheduled", "ongoing", "pre_open"]);

/**
 * Announced maintenance of the production environment:
 * ```json
 * {"title":"Spot System Upgrade","state":"scheduled","begin":"1620723600000","end":"1620724200000","serviceType":"5","env":"1"}
 * ```
 * A row that cannot be read is left out: nothing depends on it but when an alert is told.
 * @throws TickwellError `malformed_payload` for an answer that is no list
 * @see https://www.okx.com/docs-v5/en/#status
 */
export function decodeMaintenance(json: unknown): readonly TimeRange[] {
  return decodeEnvelope(json).flatMap((row) => {
    const { state, begin, end, serviceType, env = "1" } = asObject(row) ?? {};
    const startMs = decodeInteger(begin);
    const endMs = decodeInteger(end);
    const concerns =
      STATUS_STATES.has(String(state)) && STATUS_SERVICES.has(String(serviceType)) && env === "1";
    return concerns && startMs !== undefined && endMs !== undefined && startMs < endMs
      ? [{ startMs, endMs }]
      : [];
  });
}

const SPOT = z.object({
  instId: z.string().min(1),
  baseCcy: z.string().min(1),
  quoteCcy: z.string().min(1),
  state: z.string(),
  listTime: z.string().optional(),
});

const SWAP = z.object({
  instId: z.string().min(1),
  ctType: z.string(),
  settleCcy: z.string(),
  uly: z.string().optional(),
  instFamily: z.string().optional(),
  ctVal: z.string(),
  ctMult: z.string(),
  state: z.string(),
  listTime: z.string().optional(),
});

export interface Instruments {
  readonly markets: readonly MarketInfo[];
  /** Entries of the list that could not be read, each with the reason. */
  readonly unreadable: readonly string[];
}

/**
 * Reads a list of instruments. One odd entry among hundreds is reported, not fatal. Of the swaps only the linear ones are
 * taken. Numbers may be empty until minutes before a listing; a swap without a contract size is left out until it has one.
 * @throws TickwellError `malformed_payload` when the list is missing, or holds entries and none is readable
 */
export function decodeInstruments(json: unknown, instType: "SPOT" | "SWAP"): Instruments {
  const entries = decodeEnvelope(json);
  const markets: MarketInfo[] = [];
  const unreadable: string[] = [];
  let readable = 0;
  entries.forEach((entry, index) => {
    const read = instType === "SPOT" ? readSpot(entry, index) : readSwap(entry, index);
    if (typeof read === "string") {
      unreadable.push(read);
      return;
    }
    readable++;
    if (read) markets.push(read);
  });
  if (readable === 0 && unreadable[0] !== undefined)
    throw malformed("$.data", `no entry is readable; the first: ${unreadable[0]}`);
  return { markets, unreadable };
}

/** @returns the reason where an entry cannot be read */
function readSpot(raw: unknown, index: number): MarketInfo | string {
  const parsed = SPOT.safeParse(raw);
  if (!parsed.success) return describeIssue(parsed.error, `$.data[${index}]`).text;
  const entry = parsed.data;
  return {
    symbol: `${entry.baseCcy}/${entry.quoteCcy}`,
    nativeSymbol: entry.instId,
    baseAsset: entry.baseCcy,
    quoteAsset: entry.quoteCcy,
    marketType: "spot",
    isActive: entry.state === "live",
    listedMs: decodeListTime(entry.listTime),
  };
}

/** @returns the reason where an entry cannot be read; undefined for a swap that is none of ours */
function readSwap(raw: unknown, index: number): MarketInfo | string | undefined {
  const parsed = SWAP.safeParse(raw);
  if (!parsed.success) return describeIssue(parsed.error, `$.data[${index}]`).text;
  const entry = parsed.data;
  if (entry.ctType !== "linear") return undefined;
  // The pair stands in the underlying; baseCcy and quoteCcy are empty. Both parts are ASCII names without a hyphen.
  const pair = entry.uly === undefined || entry.uly === "" ? (entry.instFamily ?? "") : entry.uly;
  const [base, quote, ...rest] = pair.split("-");
  if (!base || !quote || rest.length > 0 || entry.settleCcy === "")
    return `$.data[${index}]: ${entry.instId} has no readable pair ("${pair}", settled in "${entry.settleCcy}")`;
  if (entry.ctVal === "" || entry.ctMult === "") return undefined;
  const [value, multiplier] = [parseDecimal(entry.ctVal), parseDecimal(entry.ctMult)];
  const contractSize = value && multiplier ? multiplyDecimals(value, multiplier) : undefined;
  if (contractSize === undefined)
    return `$.data[${index}]: ${entry.instId} has no readable contract size (${entry.ctVal} × ${entry.ctMult})`;
  return {
    // The text of the id says nothing of the settlement: BTC-USD_UM-SWAP settles in dollar coins.
    symbol: `${base}/${quote}:${entry.settleCcy}`,
    nativeSymbol: entry.instId,
    baseAsset: base,
    quoteAsset: quote,
    marketType: "swap",
    isActive: entry.state === "live",
    listedMs: decodeListTime(entry.listTime),
    contractSize,
  };
}

function decodeListTime(value: string | undefined): number | undefined {
  const timeMs = decodeInteger(value);
  return timeMs === 0 ? undefined : timeMs;
}

/** Whole numbers arrive as text. */
export function decodeInteger(value: unknown): number | undefined {
  if (typeof value !== "string" || !/^\d{1,16}$/.test(value)) return undefined;
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : undefined;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" ? value : undefined;
}
