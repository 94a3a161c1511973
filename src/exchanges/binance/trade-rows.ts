// A page of Binance's trades, aggregated or raw, as far as both are checked alike.
import { malformed } from "../malformed.js";
import { refuseBackwards } from "../refuse-backwards.js";
import type { TradeRow } from "./decode.js";

/** Rows of one page at most. */
export const TRADES_MAX = 1_000;
/** As the streams have them: the same trade has the same time wherever it comes from. */
const MICROSECONDS = { "x-mbx-time-unit": "MICROSECOND" };

export interface TradesEndpoint {
  readonly endpoint: string;
  readonly weight: number;
  /** Longest range to ask for by time, ms. */
  readonly windowMs: number | undefined;
  /** Times in microseconds can be asked for. */
  readonly hasMicroseconds: boolean;
}

/** What a venue is asked for a page of trades. */
export interface TradesQuestion {
  readonly endpoint: string;
  readonly weight: number;
  readonly nativeSymbol: string;
  readonly params: Readonly<Record<string, string>>;
  readonly headers?: Readonly<Record<string, string>>;
}

/** @param place where the page begins */
export function tradesQuestion(
  { endpoint, weight, hasMicroseconds }: TradesEndpoint,
  nativeSymbol: string,
  place: Readonly<Record<string, string>>,
): TradesQuestion {
  return {
    endpoint,
    weight,
    nativeSymbol,
    params: { symbol: nativeSymbol, ...place, limit: String(TRADES_MAX) },
    ...(hasMicroseconds ? { headers: MICROSECONDS } : {}),
  };
}

/** @throws TickwellError `malformed_payload` for what is no page of trades, oldest first */
export function readTradeRows(json: unknown, decode: (row: unknown) => TradeRow): TradeRow[] {
  if (!Array.isArray(json)) throw malformed("$", "expected a list of trades, found something else");
  if (json.length > TRADES_MAX)
    throw malformed("$", `expected ${TRADES_MAX} trades at most, found ${json.length}`);
  const rows = (json as unknown[]).map(decode);
  refuseBackwards(
    rows.map(({ id }) => id),
    "ascending",
  );
  refuseBackwards(
    rows.map(({ timeMs }) => timeMs),
    "ascending",
  );
  if (rows.length > 0 && rows.every(({ id }) => id === undefined))
    throw malformed("$[0]", "no row has a readable id");
  return rows;
}

/** @throws TickwellError `malformed_payload` for a row before the id that was asked for */
export function refuseIdsBelow(rows: readonly TradeRow[], fromId: number): void {
  rows.forEach(({ id }, i) => {
    if (id === undefined || id >= fromId) return;
    throw malformed(`$[${i}]`, `expected ids from ${fromId} on, found ${id}`);
  });
}

/** @throws TickwellError `malformed_payload` for a row outside the time that was asked for, epoch ms, the end excluded */
export function refuseTimesOutside(
  rows: readonly TradeRow[],
  { fromMs, toMs }: { fromMs: number; toMs: number },
): void {
  rows.forEach(({ timeMs }, i) => {
    if (timeMs === undefined || (timeMs >= fromMs && timeMs < toMs)) return;
    throw malformed(`$[${i}].T`, `expected times in [${fromMs}, ${toMs}), found ${timeMs}`);
  });
}
