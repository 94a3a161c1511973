// When a planned fault is meant: which requests, rows and streams its conditions hold for.
import type { Timeframe } from "../src/core/timeframe.js";
import type { SimulatedFault, SimulatedFaultKind } from "./fault-plan.js";
import type { VenueName } from "./venue-name.js";

export type FaultOf<K extends SimulatedFaultKind> = Extract<SimulatedFault, { kind: K }>;

/** A fault that takes the place of an answer, or meddles with its delivery. */
export type AnswerFault = FaultOf<
  | "http_429"
  | "http_418"
  | "http_451"
  | "http_5xx"
  | "slow"
  | "hang"
  | "truncated"
  | "wrong_json"
  | "disconnect"
  | "lying_page"
  | "code_200"
>;
/** A fault of single rows of candles. */
export type RowFault = FaultOf<"late" | "revised" | "lying_rows">;

/** A fault of a WebSocket stream or connection. */
export type StreamFaultKind = Extract<SimulatedFaultKind, `ws_${string}`>;
export type StreamFault = FaultOf<StreamFaultKind>;

/** What a stream fault might strike: a connection, a subscription or a message. */
export interface AskedStream extends NamedMarket {
  /** What the venue calls the channel; empty for a connection. */
  readonly channel: string;
  /** trades, candles, orderbook or other. */
  readonly dataType: string;
  /** Tells what is asked about from all others: chance is drawn from it, so that a seed strikes the same ones. */
  readonly key: string;
}

/** A market as fault plans name it. */
export interface NamedMarket {
  readonly exchange: VenueName;
  /** Both names of the market; empty when a request names none. */
  readonly symbols: readonly string[];
}

/** What a request is about, as far as it says. */
export interface AskedFor extends NamedMarket {
  readonly endpoint: string;
  /** True for a page of candles or trades. */
  readonly isPage: boolean;
  /** The market time asked for, inclusive. */
  readonly fromMs: number;
  readonly toMs: number;
}

/** A candle on its way into an answer. */
export interface AskedRow extends NamedMarket {
  readonly timeframe: Timeframe;
  readonly openTimeMs: number;
}

export function isStreamMeant(fault: StreamFault, asked: AskedStream, nowMs: number): boolean {
  if (!isForMarket(fault, asked) || !isWithin(nowMs, fault.clock_from, fault.clock_to)) return false;
  if (!("channel" in fault) || fault.channel === undefined) return true;
  const { channel } = fault;
  if (channel === asked.channel || channel === asked.dataType) return true;
  // `kline` means `kline_1m` as well, `depth` means `depth@100ms`, and `trade` not `trades-all`.
  return asked.channel.startsWith(channel) && /^[_@\d]/.test(asked.channel.slice(channel.length));
}

export function isMeant(fault: AnswerFault, asked: AskedFor, nowMs: number): boolean {
  if (fault.kind === "lying_page" && !asked.isPage) return false;
  // An error with HTTP 200 is OKX's way; Binance has no such thing.
  if (fault.kind === "code_200" && asked.exchange !== "okx") return false;
  if (fault.endpoint !== undefined && !isEndpoint(asked.endpoint, fault.endpoint)) return false;
  if (!isForMarket(fault, asked)) return false;
  if (!isWithin(nowMs, fault.clock_from, fault.clock_to)) return false;
  return asked.toMs >= (fault.from ?? 0) && asked.fromMs < (fault.to ?? Infinity);
}

/** `klines` means `/api/v3/klines`, and not `/api/v3/uiKlines`. */
function isEndpoint(endpoint: string, wanted: string): boolean {
  return endpoint === wanted || endpoint.endsWith(`/${wanted.replace(/^\//, "")}`);
}

/** A fault without symbols is for all of them; one with symbols is not for requests that name none. */
export function isForMarket(fault: SimulatedFault, { exchange, symbols }: NamedMarket): boolean {
  if (fault.exchange !== undefined && fault.exchange !== exchange) return false;
  if (fault.kind === "delisted") return symbols.includes(fault.symbol);
  if (!("symbols" in fault) || fault.symbols === undefined) return true;
  return fault.symbols.some((symbol) => symbols.includes(symbol));
}

export function isSkewOf(
  fault: SimulatedFault,
  exchange: VenueName,
  realMs: number,
): fault is FaultOf<"clock_skew"> {
  if (fault.kind !== "clock_skew" || (fault.exchange ?? exchange) !== exchange) return false;
  return isWithin(realMs, fault.clock_from, fault.clock_to);
}

/** The market time `[fromMs, toMs)` in which a fault makes the truth another; undefined for faults that leave it alone. */
export function changedTruth(fault: SimulatedFault): { fromMs: number; toMs: number } | undefined {
  switch (fault.kind) {
    case "outage":
    case "price_jump":
    case "late_trade":
      return { fromMs: fault.from, toMs: fault.to };
    case "volume_spike":
      return { fromMs: fault.from, toMs: fault.to ?? fault.from + 60_000 };
    case "delisted":
      return { fromMs: fault.at, toMs: Infinity };
    default:
      return undefined;
  }
}

/** Binance spot came first, and its plans strike the same rows as ever. */
export function seriesName({ exchange, symbols }: NamedMarket): string {
  return exchange === "binance" ? (symbols[0] ?? "") : `${exchange}:${symbols[0] ?? ""}`;
}

function isWithin(timeMs: number, fromMs: number | undefined, toMs: number | undefined): boolean {
  return timeMs >= (fromMs ?? 0) && timeMs < (toMs ?? Infinity);
}
