// Order books of OKX by REST. Quantities of swaps are contracts.
import type { BookPage } from "../../core/model/book.js";
import type { BookRequest } from "../live.js";
import { malformed } from "../malformed.js";
import { pathOf, type RestClient } from "../rest-client.js";
import { asInteger, asObject, isLevels } from "../wire-fields.js";
import { decodeEnvelope, decodeInteger } from "./decode.js";
import { OKX_ENDPOINTS } from "./rest.js";

const LEVELS_MAX = 400;

/** @throws TickwellError as {@link RestClient.get} does */
export function fetchBookPage(
  client: RestClient,
  { nativeSymbol, levels }: BookRequest,
  signal: AbortSignal,
): Promise<BookPage> {
  const question = {
    endpoint: OKX_ENDPOINTS.books,
    nativeSymbol,
    weight: 1,
    params: { instId: nativeSymbol, sz: String(Math.min(levels, LEVELS_MAX)) },
  };
  const path = pathOf(question);
  return client.get({ ...question, read: (json) => readPage(json, path) }, signal);
}

function readPage(json: unknown, request: string): BookPage {
  const page = asObject(decodeEnvelope(json)[0]);
  const sequence = asInteger(page?.seqId);
  if (page === undefined || sequence === undefined)
    throw malformed("$.data[0].seqId", "expected a sequence number");
  const { bids, asks } = page;
  if (!isLevels(bids)) throw malformed("$.data[0].bids", "expected levels of texts");
  if (!isLevels(asks)) throw malformed("$.data[0].asks", "expected levels of texts");
  return { sequence, timeMs: decodeInteger(page.ts), bids, asks, request };
}
