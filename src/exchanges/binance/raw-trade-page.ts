// Pages of raw trades, which can be asked for by id only.
//
// 1. The range's first aggregated trade, which can be asked for by time, tells the id of its first fill.
// 2. From then on by id, without a hole, as trade-page.ts has it.
import { malformed } from "../malformed.js";
import type { TradePage, TradeRequest } from "../exchange.js";
import { pathOf, type RestClient } from "../rest-client.js";
import { decodeRawTrade, type TradeRow } from "./decode.js";
import { fetchTradePage, isInRange } from "./trade-page.js";
import { readTradeRows, refuseIdsBelow, tradesQuestion, type TradesEndpoint } from "./trade-rows.js";

export interface RawTradesEndpoints {
  readonly aggTrades: TradesEndpoint;
  readonly rawTrades: TradesEndpoint;
}

/** A cursor of the search; any other is the id to go on from. */
const SEARCHING = "agg ";

/**
 * Two questions at most.
 * @throws TickwellError as {@link RestClient.get} does
 */
export async function fetchRawTradePage(
  client: RestClient,
  { aggTrades, rawTrades }: RawTradesEndpoints,
  request: TradeRequest,
  signal: AbortSignal,
): Promise<TradePage> {
  const { cursor } = request;
  if (cursor !== undefined && !cursor.startsWith(SEARCHING))
    return fetchFrom(client, rawTrades, { request, fromId: Number(cursor), isKnown: false }, signal);
  const search = { ...request, cursor: cursor?.slice(SEARCHING.length) };
  const found = await fetchTradePage(client, aggTrades, search, signal);
  const [first] = found.candidates;
  if (first === undefined) {
    const next = found.next === undefined ? undefined : `${SEARCHING}${found.next}`;
    return { candidates: [], next, request: found.request };
  }
  const fromId = first.firstFillId;
  if (fromId === undefined) throw malformed("$[0].f", "no id of a first fill");
  return fetchFrom(client, rawTrades, { request, fromId, isKnown: true }, signal);
}

async function fetchFrom(
  client: RestClient,
  rawTrades: TradesEndpoint,
  { request, fromId, isKnown }: { request: TradeRequest; fromId: number; isKnown: boolean },
  signal: AbortSignal,
): Promise<TradePage> {
  const question = tradesQuestion(rawTrades, request.nativeSymbol, { fromId: String(fromId) });
  const read = (json: unknown): TradeRow[] => {
    const rows = readTradeRows(json, decodeRawTrade);
    refuseIdsBelow(rows, fromId);
    // An aggregated trade begins with it: an answer without it would make its time look empty.
    if (isKnown && rows[0]?.id !== fromId)
      throw malformed("$[0].id", `expected trade ${fromId}, found ${rows[0]?.id ?? "nothing"}`);
    return rows;
  };
  const rows = await client.get({ ...question, read }, signal);
  const lastId = rows.findLast(({ id }) => id !== undefined)?.id;
  const lastMs = rows.findLast(({ timeMs }) => timeMs !== undefined)?.timeMs;
  const isComplete = lastId === undefined || (lastMs !== undefined && lastMs >= request.toMs);
  return {
    candidates: rows
      .flatMap(({ candidate }) => candidate ?? [])
      .filter((candidate) => isInRange(candidate, request)),
    next: isComplete ? undefined : String(lastId + 1),
    request: pathOf(question),
  };
}
