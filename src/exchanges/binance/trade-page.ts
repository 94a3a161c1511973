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
import { pathOf, type RestClient } from "../rest-client.js";
import { decodeAggTrade, type TradeRow } from "./decode.js";
import {
  readTradeRows,
  refuseIdsBelow,
  refuseTimesOutside,
  tradesQuestion,
  type TradesEndpoint,
} from "./trade-rows.js";

/** Where to go on: at a time, as long as no trade was found, and at an id afterwards. */
interface Position {
  readonly by: "time" | "id";
  readonly value: number;
}

/** @throws TickwellError as {@link RestClient.get} does */
export async function fetchTradePage(
  client: RestClient,
  endpoint: TradesEndpoint,
  request: TradeRequest,
  signal: AbortSignal,
): Promise<TradePage> {
  const position = readCursor(request);
  const windowEndMs = Math.min(position.value + (endpoint.windowMs ?? Infinity), request.toMs);
  const question = tradesQuestion(
    endpoint,
    request.nativeSymbol,
    position.by === "id"
      ? { fromId: String(position.value) }
      : // Both ends are inclusive.
        { startTime: String(position.value), endTime: String(windowEndMs - 1) },
  );
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
    request: pathOf(question),
  };
}

function readCursor({ cursor, fromMs }: TradeRequest): Position {
  if (cursor === undefined) return { by: "time", value: fromMs };
  const [by, value] = cursor.split(":");
  return { by: by === "id" ? "id" : "time", value: Number(value) };
}

function nextCursor(
  trades: readonly TradeRow[],
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
export function isInRange({ timeMs }: TradeCandidate, { fromMs, toMs }: TradeRequest): boolean {
  return timeMs === undefined || (timeMs >= fromMs && timeMs < toMs);
}

/** @throws TickwellError `malformed_payload` for an answer to something that was not asked */
function readTrades(json: unknown, { by, value }: Position, windowEndMs: number): TradeRow[] {
  const rows = readTradeRows(json, decodeAggTrade);
  if (by === "id") refuseIdsBelow(rows, value);
  else refuseTimesOutside(rows, { fromMs: value, toMs: windowEndMs });
  return rows;
}
