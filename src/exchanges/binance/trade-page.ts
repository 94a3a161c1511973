// Pages of aggregated trades: the first by time, the others by id.
//
// 1. The range's first trades are asked for by time; where the venue limits that to an hour, hour by hour until there is
//    one.
// 2. From then on by id: ids have no hole, so that nothing between two pages can be missed, however many trades share a
//    millisecond.
// 3. The range is complete with the first trade at or after its end, or with an answer without any row. A short page is
//    no proof: the venue may give less than it has.
import type { TradeCandidate } from "../../core/model/trade.js";
import type { TradePage, TradeRequest } from "../exchange.js";
import { malformed } from "../malformed.js";
import { refuseBackwards } from "../refuse-backwards.js";
import { pathOf, type RestClient } from "../rest-client.js";
import { decodeAggTrade, type AggTrade } from "./decode.js";

const TRADES_MAX = 1_000;
/** As the streams have them: the same trade has the same time wherever it comes from. */
const MICROSECONDS = { "x-mbx-time-unit": "MICROSECOND" };

/** Where to go on: at a time, as long as no trade was found, and at an id afterwards. */
interface Position {
  readonly by: "time" | "id";
  readonly value: number;
}

export interface AggTradesEndpoint {
  readonly endpoint: string;
  readonly weight: number;
  /** Longest range to ask for by time, ms. */
  readonly windowMs: number | undefined;
  /** Times in microseconds can be asked for. */
  readonly hasMicroseconds: boolean;
}

/** @throws TickwellError as {@link RestClient.get} does */
export async function fetchTradePage(
  client: RestClient,
  { endpoint, weight, windowMs, hasMicroseconds }: AggTradesEndpoint,
  request: TradeRequest,
  signal: AbortSignal,
): Promise<TradePage> {
  const position = readCursor(request);
  const windowEndMs = Math.min(position.value + (windowMs ?? Infinity), request.toMs);
  const place =
    position.by === "id"
      ? { fromId: String(position.value) }
      : // Both ends are inclusive.
        { startTime: String(position.value), endTime: String(windowEndMs - 1) };
  const question = {
    endpoint,
    weight,
    nativeSymbol: request.nativeSymbol,
    params: { symbol: request.nativeSymbol, ...place, limit: String(TRADES_MAX) },
    ...(hasMicroseconds ? { headers: MICROSECONDS } : {}),
  };
  const path = pathOf(question);
  const trades = await client.get(
    { ...question, read: (json) => readTrades(json, position, windowEndMs) },
    signal,
  );
  const candidates = trades
    .map(({ candidate }) => candidate)
    .filter((candidate) => candidate !== undefined)
    .filter((candidate) => isInRange(candidate, request));
  return {
    candidates,
    next: nextCursor(trades, { position, windowEndMs, toMs: request.toMs }),
    request: path,
  };
}

function readCursor({ cursor, fromMs }: TradeRequest): Position {
  if (cursor === undefined) return { by: "time", value: fromMs };
  const [by, value] = cursor.split(":");
  return { by: by === "id" ? "id" : "time", value: Number(value) };
}

function nextCursor(
  trades: readonly AggTrade[],
  asked: { position: Position; windowEndMs: number; toMs: number },
): string | undefined {
  const { position, windowEndMs, toMs } = asked;
  const last = trades.findLast(({ id }) => id !== undefined);
  if (last?.id === undefined) {
    return position.by === "time" && windowEndMs < toMs ? `time:${windowEndMs}` : undefined;
  }
  const lastTimeMs = trades.findLast(({ timeMs }) => timeMs !== undefined)?.timeMs;
  return lastTimeMs !== undefined && lastTimeMs >= toMs ? undefined : `id:${last.id + 1}`;
}

/** Pages by id run beyond the range; a trade whose time cannot be read is the gate's to refuse. */
function isInRange({ timeMs }: TradeCandidate, { fromMs, toMs }: TradeRequest): boolean {
  return timeMs === undefined || (timeMs >= fromMs && timeMs < toMs);
}

/** @throws TickwellError `malformed_payload` for an answer to something that was not asked */
function readTrades(json: unknown, { by, value }: Position, windowEndMs: number): AggTrade[] {
  if (!Array.isArray(json)) throw malformed("$", "expected a list of trades, found something else");
  if (json.length > TRADES_MAX)
    throw malformed("$", `expected ${TRADES_MAX} trades at most, found ${json.length}`);
  const trades = (json as unknown[]).map(decodeAggTrade);
  refuseBackwards(
    trades.map(({ id }) => id),
    "ascending",
  );
  refuseBackwards(
    trades.map(({ timeMs }) => timeMs),
    "ascending",
  );
  trades.forEach(({ id, timeMs }, i) => {
    if (by === "id") {
      if (id === undefined || id >= value) return;
      throw malformed(`$[${i}].a`, `expected ids from ${value} on, found ${id}`);
    }
    if (timeMs === undefined || (timeMs >= value && timeMs < windowEndMs)) return;
    throw malformed(`$[${i}].T`, `expected times in [${value}, ${windowEndMs}), found ${timeMs}`);
  });
  if (trades.length > 0 && trades.every(({ id }) => id === undefined))
    throw malformed("$[0].a", "no row has a readable id");
  return trades;
}
