// Binance's rows and lists into records, spot and USDⓈ-M: they differ in the list of markets only. In: parsed JSON, not
// believed. Out: candle and trade candidates, and markets.
import { z } from "zod";
import type { CandleCandidate } from "../../core/model/candle.js";
import type { MarketInfo } from "../../core/model/market.js";
import type { TradeCandidate } from "../../core/model/trade.js";
import { describeIssue } from "../describe-issue.js";
import { malformed } from "../malformed.js";
import { asInteger, asObject, asText } from "../wire-fields.js";
import { readTime } from "./wire-time.js";

/**
 * A kline row as documented:
 * ```json
 * [1640995200000, "46216.93000000", "46271.08000000", "46208.37000000", "46250.00000000", "40.57574000",
 *  1640995259999, "1875890.24", 1046, "22.37", "1034192.7", "0"]
 * ```
 * Open time, open, high, low, close, base volume, close time, quote volume, trade count, taker's base and quote volume,
 * and a field to ignore.
 * @see https://developers.binance.com/docs/binance-spot-api-docs/rest-api/market-data-endpoints
 */
export function decodeKlines(rows: readonly unknown[]): CandleCandidate[] {
  const candidates = new Array<CandleCandidate>(rows.length);
  for (let i = 0; i < rows.length; i++) candidates[i] = decodeKline(rows[i]);
  return candidates;
}

const NO_FIELDS: readonly unknown[] = [];

function decodeKline(raw: unknown): CandleCandidate {
  const row: readonly unknown[] = Array.isArray(raw) ? raw : NO_FIELDS;
  const openTimeMs = row[0];
  const open = row[1];
  const high = row[2];
  const low = row[3];
  const close = row[4];
  const volume = row[5];
  const quoteVolume = row[7];
  const tradeCount = row[8];
  return {
    openTimeMs: Number.isSafeInteger(openTimeMs) ? (openTimeMs as number) : undefined,
    open: typeof open === "string" ? open : undefined,
    high: typeof high === "string" ? high : undefined,
    low: typeof low === "string" ? low : undefined,
    close: typeof close === "string" ? close : undefined,
    volume: typeof volume === "string" ? volume : undefined,
    quoteVolume: typeof quoteVolume === "string" ? quoteVolume : undefined,
    tradeCount: Number.isSafeInteger(tradeCount) ? (tradeCount as number) : undefined,
    raw,
  };
}

/** A row of trades, as far as it is known before it becomes a candidate. */
export interface TradeRow {
  /** Rows are numbered without a hole, also where an aggregated one is no trade. */
  readonly id: number | undefined;
  readonly timeMs: number | undefined;
  /** Undefined for a row that stands for a duplicate Binance has taken back: it holds an id and no trade. */
  readonly candidate: TradeCandidate | undefined;
}

/**
 * An aggregated trade as documented: id, price, base quantity, first and last fill, time, whether the buyer was the maker
 * (so that the taker sold), and a field to ignore; USDⓈ-M leaves that out and adds `nq`.
 * ```json
 * { "a": 26129, "p": "0.01633102", "q": "4.70443515", "f": 27781, "l": 27781, "T": 1498793709153, "m": true, "M": true }
 * ```
 */
export function decodeAggTrade(raw: unknown): TradeRow {
  const row = namedFields(raw);
  const id = asInteger(row.a);
  const time = readTime(row.T);
  const timeMs = time?.timeMs;
  if (row.f === -1) return { id, timeMs, candidate: undefined };
  return {
    id,
    timeMs,
    candidate: {
      id,
      firstFillId: asInteger(row.f),
      lastFillId: asInteger(row.l),
      timeMs,
      microsecond: time?.microsecond,
      price: asText(row.p),
      qty: asText(row.q),
      side: takerSide(row.m),
      raw,
    },
  };
}

/**
 * A raw trade by REST: one fill.
 * ```json
 * { "id": 28457, "price": "4.00000100", "qty": "12.00000000", "quoteQty": "48.000012", "time": 1499865549590,
 *   "isBuyerMaker": true, "isBestMatch": true }
 * ```
 */
export function decodeRawTrade(raw: unknown): TradeRow {
  const row = namedFields(raw);
  return fillOf(raw, {
    id: row.id,
    time: row.time,
    price: row.price,
    qty: row.qty,
    isBuyerMaker: row.isBuyerMaker,
  });
}

/**
 * A raw trade on a stream.
 * ```json
 * { "e": "trade", "E": 1672515782136, "s": "BNBBTC", "t": 12345, "p": "0.001", "q": "100", "T": 1672515782136, "m": true, "M": true }
 * ```
 */
export function decodeTradeEvent(raw: unknown): TradeRow {
  const row = namedFields(raw);
  return fillOf(raw, { id: row.t, time: row.T, price: row.p, qty: row.q, isBuyerMaker: row.m });
}

function fillOf(
  raw: unknown,
  fields: Readonly<Record<"id" | "time" | "price" | "qty" | "isBuyerMaker", unknown>>,
): TradeRow {
  const id = asInteger(fields.id);
  const time = readTime(fields.time);
  const timeMs = time?.timeMs;
  return {
    id,
    timeMs,
    candidate: {
      id,
      firstFillId: id,
      lastFillId: id,
      timeMs,
      microsecond: time?.microsecond,
      price: asText(fields.price),
      qty: asText(fields.qty),
      side: takerSide(fields.isBuyerMaker),
      raw,
    },
  };
}

function takerSide(isBuyerMaker: unknown): "buy" | "sell" | undefined {
  if (typeof isBuyerMaker !== "boolean") return undefined;
  return isBuyerMaker ? "sell" : "buy";
}

function namedFields(raw: unknown): Readonly<Record<string, unknown>> {
  return asObject(raw) ?? NO_NAMED_FIELDS;
}

const NO_NAMED_FIELDS: Readonly<Record<string, unknown>> = {};

const SYMBOL = z.object({
  symbol: z.string().min(1),
  status: z.string(),
  baseAsset: z.string().min(1),
  quoteAsset: z.string().min(1),
});

const CONTRACT = SYMBOL.extend({
  contractType: z.string(),
  marginAsset: z.string().min(1),
  onboardDate: z.number().int().positive().optional(),
});

/** TradFi perpetuals are perpetuals on stocks and metals. Dated futures and contracts being delivered are left out. */
const PERPETUALS: ReadonlySet<string> = new Set(["PERPETUAL", "TRADIFI_PERPETUAL"]);

const RATE_LIMIT = z.object({
  rateLimitType: z.string(),
  interval: z.string(),
  intervalNum: z.number(),
  limit: z.number().positive(),
});

const EXCHANGE_INFO = z.object({
  symbols: z.array(z.unknown()),
  rateLimits: z.array(z.unknown()).default([]),
});

export interface ExchangeInfo {
  readonly markets: readonly MarketInfo[];
  /** Entries of the list that could not be read, each with the reason. */
  readonly unreadable: readonly string[];
  /** Request weight allowed in a minute; undefined where it is not published. */
  readonly weightLimit: number | undefined;
}

/**
 * Reads the spot market's `exchangeInfo`. One odd entry among thousands is reported, not fatal: it must not stop the
 * other markets.
 * @throws TickwellError `malformed_payload` when the list is missing, or holds entries and none is readable
 */
export function decodeExchangeInfo(json: unknown): ExchangeInfo {
  return readExchangeInfo(json, SYMBOL, spotMarket);
}

/** Reads the `exchangeInfo` of USDⓈ-M, perpetuals only, as {@link decodeExchangeInfo} reads the spot market's. */
export function decodeContractInfo(json: unknown): ExchangeInfo {
  return readExchangeInfo(json, CONTRACT, (entry) =>
    PERPETUALS.has(entry.contractType) ? perpetual(entry) : undefined,
  );
}

function readExchangeInfo<Entry>(
  json: unknown,
  schema: z.ZodType<Entry>,
  marketOf: (entry: Entry) => MarketInfo | undefined,
): ExchangeInfo {
  const info = EXCHANGE_INFO.safeParse(json);
  if (!info.success) {
    const issue = describeIssue(info.error, "$");
    throw malformed(issue.path, issue.text);
  }
  const markets: MarketInfo[] = [];
  const unreadable: string[] = [];
  let readable = 0;
  info.data.symbols.forEach((entry, index) => {
    const parsed = schema.safeParse(entry);
    if (!parsed.success) {
      unreadable.push(describeIssue(parsed.error, `$.symbols[${index}]`).text);
      return;
    }
    readable++;
    const market = marketOf(parsed.data);
    if (market) markets.push(market);
  });
  if (readable === 0 && unreadable[0] !== undefined) {
    throw malformed("$.symbols", `no entry is readable; the first: ${unreadable[0]}`);
  }
  return { markets, unreadable, weightLimit: weightLimitOf(info.data.rateLimits) };
}

/** @throws TickwellError `malformed_payload` */
export function decodeServerTime(json: unknown): number {
  const serverTime =
    typeof json === "object" && json !== null && "serverTime" in json ? json.serverTime : undefined;
  if (typeof serverTime === "number" && Number.isSafeInteger(serverTime) && serverTime > 0) return serverTime;
  throw malformed("$.serverTime", "$.serverTime is not a time in whole milliseconds");
}

function spotMarket(entry: z.infer<typeof SYMBOL>): MarketInfo {
  return {
    // Never split from the native symbol: assets may be of any length and script.
    symbol: `${entry.baseAsset}/${entry.quoteAsset}`,
    nativeSymbol: entry.symbol,
    baseAsset: entry.baseAsset,
    quoteAsset: entry.quoteAsset,
    marketType: "spot",
    // Delisted and halted symbols stay in the list (BREAK, HALT), and their klines keep answering.
    isActive: entry.status === "TRADING",
  };
}

function perpetual(entry: z.infer<typeof CONTRACT>): MarketInfo {
  return {
    // The base may hold a multiplier: 1000SHIB. Quantities are in base units, so there is no contract size.
    symbol: `${entry.baseAsset}/${entry.quoteAsset}:${entry.marginAsset}`,
    nativeSymbol: entry.symbol,
    baseAsset: entry.baseAsset,
    quoteAsset: entry.quoteAsset,
    marketType: "swap",
    // A delisted contract keeps giving flat candles: its status is the only sign.
    isActive: entry.status === "TRADING",
    listedMs: entry.onboardDate,
  };
}

function weightLimitOf(rateLimits: readonly unknown[]): number | undefined {
  for (const entry of rateLimits) {
    const parsed = RATE_LIMIT.safeParse(entry);
    if (!parsed.success) continue;
    const { rateLimitType, interval, intervalNum, limit } = parsed.data;
    if (rateLimitType === "REQUEST_WEIGHT" && interval === "MINUTE" && intervalNum === 1) return limit;
  }
  return undefined;
}
