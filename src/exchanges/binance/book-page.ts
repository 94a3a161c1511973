// Order books of Binance by REST.
import type { BookPage } from "../../core/model/book.js";
import type { BookRequest } from "../live.js";
import { malformed } from "../malformed.js";
import { pathOf, type RestClient } from "../rest-client.js";
import { asInteger, asObject, isLevels } from "../wire-fields.js";
import { readTimeMs } from "./wire-time.js";

export interface DepthEndpoint {
  readonly endpoint: string;
  /** Numbers of levels that may be asked for, ascending, each with its weight; the next larger one is asked for. */
  readonly limits: readonly { readonly levels: number; readonly weight: number }[];
}

export const SPOT_DEPTH: DepthEndpoint["limits"] = [
  { levels: 100, weight: 5 },
  { levels: 500, weight: 25 },
  { levels: 1_000, weight: 50 },
  { levels: 5_000, weight: 250 },
];
/** Unlike spot: only these may be asked for, and 1,000 is the most. */
export const USDM_DEPTH: DepthEndpoint["limits"] = [
  { levels: 50, weight: 2 },
  { levels: 100, weight: 5 },
  { levels: 500, weight: 10 },
  { levels: 1_000, weight: 20 },
];

/** @throws TickwellError as {@link RestClient.get} does */
export function fetchBookPage(
  client: RestClient,
  { endpoint, limits }: DepthEndpoint,
  { nativeSymbol, levels }: BookRequest,
  signal: AbortSignal,
): Promise<BookPage> {
  const limit = limits.find((each) => each.levels >= levels) ?? limits.at(-1);
  const question = {
    endpoint,
    nativeSymbol,
    weight: limit?.weight ?? 1,
    params: { symbol: nativeSymbol, limit: String(limit?.levels ?? levels) },
  };
  const path = pathOf(question);
  return client.get({ ...question, read: (json) => readPage(json, path) }, signal);
}

function readPage(json: unknown, request: string): BookPage {
  const page = asObject(json);
  // -1 where a symbol has no book yet.
  const sequence = asInteger(page?.lastUpdateId);
  if (page === undefined || sequence === undefined)
    throw malformed("$.lastUpdateId", "expected an update id");
  const { bids, asks } = page;
  if (!isLevels(bids)) throw malformed("$.bids", "expected levels of texts");
  if (!isLevels(asks)) throw malformed("$.asks", "expected levels of texts");
  return { sequence, timeMs: readTimeMs(page.T), bids, asks, request };
}
