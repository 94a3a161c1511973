// Binance's rows and lists into records. In: parsed JSON, not believed. Out: candle candidates and markets.
import { z } from "zod";
import { TickwellError } from "../../core/fault.js";
import type { CandleCandidate } from "../../core/model/candle.js";
import type { MarketInfo } from "../../core/model/market.js";

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

const SYMBOL = z.object({
  symbol: z.string().min(1),
  status: z.string(),
  baseAsset: z.string().min(1),
  quoteAsset: z.string().min(1),
});

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
 * Reads `exchangeInfo`. One odd entry among thousands is reported, not fatal: it must not stop the other markets.
 * @throws TickwellError `malformed_payload` when the list is missing, or holds entries and none is readable
 */
export function decodeExchangeInfo(json: unknown): ExchangeInfo {
  const info = EXCHANGE_INFO.safeParse(json);
  if (!info.success) {
    const issue = describeIssue(info.error, "$");
    throw malformed(issue.path, issue.text);
  }
  const markets: MarketInfo[] = [];
  const unreadable: string[] = [];
  info.data.symbols.forEach((entry, index) => {
    const parsed = SYMBOL.safeParse(entry);
    if (parsed.success) markets.push(marketOf(parsed.data));
    else unreadable.push(describeIssue(parsed.error, `$.symbols[${index}]`).text);
  });
  if (markets.length === 0 && unreadable[0] !== undefined) {
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

function marketOf(entry: z.infer<typeof SYMBOL>): MarketInfo {
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

function weightLimitOf(rateLimits: readonly unknown[]): number | undefined {
  for (const entry of rateLimits) {
    const parsed = RATE_LIMIT.safeParse(entry);
    if (!parsed.success) continue;
    const { rateLimitType, interval, intervalNum, limit } = parsed.data;
    if (rateLimitType === "REQUEST_WEIGHT" && interval === "MINUTE" && intervalNum === 1) return limit;
  }
  return undefined;
}

function describeIssue(error: z.ZodError, root: string): { path: string; text: string } {
  const issue = error.issues[0];
  const path = (issue?.path ?? []).reduce<string>(
    (text, key) => (typeof key === "number" ? `${text}[${key}]` : `${text}.${String(key)}`),
    root,
  );
  return { path, text: `${path}: ${issue?.message ?? "unreadable"}` };
}

/** The client that holds the text adds which request it was, and a sample where there is none. */
export function malformed(path: string, text: string, sample = ""): TickwellError {
  return new TickwellError({ kind: "malformed_payload", path, sample }, text);
}
