// Pages of trades of OKX, newest first, by time: paging by id was measured to lose some.
//
// 1. The first page is asked for from the end of the range.
// 2. The next one from one millisecond after the oldest trade seen: trades that share its millisecond may not have been on
//    the page, and whether `after` includes its own millisecond is told differently. What was seen already is left out.
// 3. A page without anything new is full of that one millisecond, or there is nothing older: the next page is asked for by
//    id, which leads on from any trade. One by id at a time, and a trade it leaves out shows as a hole in the ids.
// 4. The range is complete with the first trade before its start, or with an answer without any row. OKX keeps trades for
//    some three months; where it may have thrown them away, an empty answer proves nothing.
import assert from "node:assert/strict";
import type { Decimal } from "../../core/decimal.js";
import { TickwellError } from "../../core/fault.js";
import type { TradeCandidate } from "../../core/model/trade.js";
import { formatTime } from "../../core/time.js";
import type { TradePage, TradeRequest } from "../exchange.js";
import { malformed } from "../malformed.js";
import { refuseBackwards } from "../refuse-backwards.js";
import { pathOf, type RestClient } from "../rest-client.js";
import { decodeEnvelope, decodeTrade } from "./decode.js";
import { OKX_ENDPOINTS } from "./rest.js";

const TRADES_MAX = 100;
const DAY_MS = 86_400_000;
/** Documented are three months. */
const KEPT_MS_MAX = 92 * DAY_MS;
/** Measured were 60 to 90 days: before that, nothing may mean no longer. */
const KEPT_MS_MIN = 60 * DAY_MS;

/** The oldest trade seen: what shares its millisecond and is not older by id has been on a page. */
interface Oldest {
  readonly timeMs: number;
  readonly id: number;
}

const BY_ID = "1";
const BY_TIME = "2";

interface Place {
  readonly type: typeof BY_ID | typeof BY_TIME;
  /** An id, or a time in epoch ms. */
  readonly after: string;
  readonly [parameter: string]: string;
}

export interface TradeMarket {
  /** Base units of one contract; undefined on the spot market. */
  readonly contractSize: Decimal | undefined;
  /** Our clock, epoch ms. */
  readonly nowMs: number;
}

/**
 * Two questions at most.
 * @throws TickwellError `bad_request` for a range OKX no longer has; as {@link RestClient.get} does
 */
export async function fetchTradePage(
  client: RestClient,
  request: TradeRequest,
  { contractSize, nowMs }: TradeMarket,
  signal: AbortSignal,
): Promise<TradePage> {
  const { nativeSymbol, fromMs, toMs } = request;
  if (fromMs < nowMs - KEPT_MS_MAX) throw tooOld(request);
  const oldest = readCursor(request.cursor);
  const ask = async (place: Place): Promise<TradePage | undefined> => {
    const question = {
      endpoint: OKX_ENDPOINTS.historyTrades,
      nativeSymbol,
      weight: 1,
      params: { instId: nativeSymbol, ...place, limit: String(TRADES_MAX) },
    };
    const path = pathOf(question);
    const upToMs = place.type === BY_TIME ? Number(place.after) : (oldest?.timeMs ?? toMs);
    const read = (json: unknown): TradeCandidate[] => {
      const rows = readTrades(json, { nativeSymbol, contractSize, upToMs });
      if (rows.length > 0 || oldest === undefined || place.type === BY_ID) return rows;
      throw malformed("$.data", `expected trade ${oldest.id} at least, which was there before`);
    };
    const rows = await client.get({ ...question, read }, signal);
    if (rows.length === 0) {
      if (fromMs < nowMs - KEPT_MS_MIN) throw tooOld(request);
      return { candidates: [], next: undefined, request: path };
    }
    const fresh = oldest ? rows.filter((row) => isOlder(row, oldest)) : rows;
    // Without a trade to go on from, the same question would be asked for ever.
    return oldestOf(fresh) === undefined ? undefined : pageOf(fresh, { request, path, oldest });
  };
  if (oldest === undefined) {
    const page = await ask({ type: BY_TIME, after: String(toMs) });
    assert(page, "every row of a first page is new");
    return page;
  }
  const page =
    (await ask({ type: BY_TIME, after: String(oldest.timeMs + 1) })) ??
    (await ask({ type: BY_ID, after: String(oldest.id) }));
  if (page) return page;
  throw malformed("$.data", `expected trades older than ${oldest.id}, found only what was seen before`);
}

/** A row whose time or id cannot be read is passed on once, with the page it came with: the gate keeps it. */
function isOlder({ timeMs, id }: TradeCandidate, oldest: Oldest): boolean {
  if (timeMs === undefined || id === undefined) return true;
  return timeMs < oldest.timeMs || (timeMs === oldest.timeMs && id < oldest.id);
}

function pageOf(
  fresh: readonly TradeCandidate[],
  { request, path, oldest }: { request: TradeRequest; path: string; oldest: Oldest | undefined },
): TradePage {
  const { fromMs, toMs } = request;
  const candidates = fresh
    .filter(({ timeMs }) => timeMs === undefined || (timeMs >= fromMs && timeMs < toMs))
    .toSorted((a, b) => (a.id ?? 0) - (b.id ?? 0));
  const reached = oldestOf(fresh) ?? oldest;
  const isComplete = reached === undefined || reached.timeMs < fromMs;
  return { candidates, next: isComplete ? undefined : `${reached.timeMs}:${reached.id}`, request: path };
}

function oldestOf(rows: readonly TradeCandidate[]): Oldest | undefined {
  let oldest: Oldest | undefined;
  for (const { timeMs, id } of rows) {
    if (timeMs === undefined || id === undefined) continue;
    if (oldest && (timeMs > oldest.timeMs || (timeMs === oldest.timeMs && id > oldest.id))) continue;
    oldest = { timeMs, id };
  }
  return oldest;
}

function readCursor(cursor: string | undefined): Oldest | undefined {
  if (cursor === undefined) return undefined;
  const [timeMs, id] = cursor.split(":").map(Number);
  return timeMs === undefined || id === undefined ? undefined : { timeMs, id };
}

/** @throws TickwellError `malformed_payload` for an answer to something that was not asked */
function readTrades(
  json: unknown,
  asked: { nativeSymbol: string; contractSize: Decimal | undefined; upToMs: number },
): TradeCandidate[] {
  const data = decodeEnvelope(json);
  if (data.length > TRADES_MAX)
    throw malformed("$.data", `expected ${TRADES_MAX} trades at most, found ${data.length}`);
  const rows = data.map((row) => decodeTrade(row, asked));
  const timesMs = rows.map(({ timeMs }) => timeMs);
  refuseBackwards(timesMs, "descending");
  timesMs.forEach((timeMs, i) => {
    // A venue that takes `after` as inclusive gives the millisecond itself too.
    if (timeMs === undefined || timeMs <= asked.upToMs) return;
    throw malformed(`$.data[${i}].ts`, `expected times up to ${asked.upToMs}, found ${timeMs}`);
  });
  if (rows.length > 0 && oldestOf(rows) === undefined)
    throw malformed("$.data[0]", "no row has a readable time and id");
  return rows;
}

function tooOld({ nativeSymbol, fromMs }: TradeRequest): TickwellError {
  return new TickwellError(
    { kind: "bad_request", code: undefined },
    `okx ${OKX_ENDPOINTS.historyTrades} ${nativeSymbol}: trades from ${formatTime(fromMs)} on are asked for, and OKX keeps them for 60 to 90 days; take a later start, or import older ones from a file`,
  );
}
