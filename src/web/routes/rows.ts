// Candles, trades and books: the rows themselves, in pages or streamed.
import { formatMarketName } from "../../core/model/market.js";
import { timeframeMs, ceilToTimeframe } from "../../core/timeframe.js";
import type { TimeRange } from "../../core/range.js";
import { formatTime } from "../../core/time.js";
import {
  CSV_HEADERS,
  type RowPage,
  type RowPageRequest,
  type RowPosition,
} from "../../store/api/row-pages.js";
import { DERIVED_FROM } from "../../store/api/derived-candles.js";
import type { LedgerKey, RangeState } from "../../store/api/ledger-pages.js";
import type { StoredMarket } from "../../store/store.js";
import { PAGE_ROWS_DEFAULT, type Book, type RowFormat } from "../contract.js";
import { decodeCursor, encodeCursor } from "../cursor.js";
import { document, separatorOf, type Freshness, type RowsReply } from "../reply.js";
import { ApiProblem } from "../problem.js";
import { rangeOf, type Call, type Route, type RouteParts } from "./call.js";

/** Rows of a page while everything is streamed: half a megabyte or so; a book of 400 levels a side takes 20 KB. */
const STREAM_PAGE_ROWS = { candles: 5_000, trades: 5_000, books: 250 } as const;
/** Minutes of which the longer candles of such a page are made at most: a quarter of a second of the database. */
const DERIVED_MINUTES = 300_000;
/** A live book has hundreds of levels, and is asked for again and again; what is stored has as many as were wanted. */
const LIVE_DEPTH_DEFAULT = 100;

export const candles: Route<"candles"> = async (call) => {
  const { directory, query, clock } = call;
  const market = await directory.find(query.market);
  const { timeframe } = query;
  const nowMs = clock.nowMs();
  const asked = rangeOf(query, { nowMs });
  const source = await candleSource(call, market, asked);
  const { proof, state } = source;
  // Without a beginning, the series' own: what nobody has asked for is not missing.
  const range = query.from === undefined ? fromSeries(asked, state) : asked;
  const lengthMs = timeframeMs(timeframe);
  return rowsReply(call, {
    market,
    name: `${market.exchange}-${market.nativeSymbol}-${timeframe}`,
    kind: "candles",
    range,
    read: source.read,
    streamRows: source.streamRows,
    headers: {
      "x-data-quality": state.score === undefined ? "unknown" : state.score.toFixed(2),
      "x-data-coverage": coverageOf(range, proof, { nowMs, lengthMs, timeframe }),
      "x-data-missing": String(Math.round(proof.missingMs / lengthMs)),
      "x-data-void": String(Math.round(proof.voidMs / lengthMs)),
      ...source.headers,
    },
    freshness: freshnessOf(range, state, { nowMs, isBounded: query.to !== undefined }),
  });
};

interface CandleSource {
  readonly read: RowSource["read"];
  /** Of the series that is stored. */
  readonly state: RangeState;
  /** Of the candles that are asked for. */
  readonly proof: Pick<RangeState, "coveredMs" | "voidMs" | "missingMs">;
  readonly headers: Readonly<Record<string, string>>;
  readonly streamRows?: number;
}

/** The stored series; where there is none, the stored minutes and what can be made of them. */
async function candleSource(
  call: Call<"candles">,
  market: StoredMarket,
  range: TimeRange,
): Promise<CandleSource> {
  const { api } = call.store;
  const { timeframe } = call.query;
  const { id: marketId } = market;
  const key = { marketId, dataType: "ohlcv", timeframe } as const;
  const state = await api.rangeState(key, range);
  const stored = async (): Promise<CandleSource> => {
    await checkStored(call, market, key, state);
    return { read: (request) => api.candlePage(timeframe, request), state, proof: state, headers: {} };
  };
  if (state.series !== undefined || timeframe === DERIVED_FROM) return stored();
  const whole = {
    startMs: ceilToTimeframe(range.startMs, timeframe),
    endMs: ceilToTimeframe(range.endMs, timeframe),
  };
  const minutes = await api.rangeState({ marketId, dataType: "ohlcv", timeframe: DERIVED_FROM }, whole);
  if (minutes.series === undefined) return stored();
  return {
    read: (request) => api.derivedCandlePage(timeframe, request),
    state: minutes,
    proof: await api.derivedState({ marketId, timeframe }, range),
    headers: { "x-data-derived-from": DERIVED_FROM },
    streamRows: Math.max(
      1,
      Math.floor((DERIVED_MINUTES * timeframeMs(DERIVED_FROM)) / timeframeMs(timeframe)),
    ),
  };
}

export const trades: Route<"trades"> = async (call) => {
  const { store, directory, query, clock } = call;
  const market = await directory.find(query.market);
  const nowMs = clock.nowMs();
  const range = rangeOf(query, { nowMs });
  const key = { marketId: market.id, dataType: "trades", timeframe: "" } as const;
  const state = await store.api.rangeState(key, range);
  await checkStored(call, market, key, state);
  return rowsReply(call, {
    market,
    name: `${market.exchange}-${market.nativeSymbol}-trades`,
    kind: "trades",
    range,
    read: (request) => store.api.tradePage(request),
    headers: {},
    freshness: freshnessOf(range, state, { nowMs, isBounded: query.to !== undefined }),
  });
};

export const book: Route<"book"> = async (call) => {
  const { store, directory, query, clock, hub } = call;
  const market = await directory.find(query.market);
  const nowMs = clock.nowMs();
  const isOne = query.from === undefined && query.to === undefined && query.cursor === undefined;
  if (isOne && query.at === undefined && query.format === "json") {
    const live = hub.book(market.id, query.depth ?? LIVE_DEPTH_DEFAULT);
    if (live?.book) return document({ data: [toBook(live.book)], next_cursor: null });
  }
  const range = isOne ? { startMs: 0, endMs: (query.at ?? nowMs) + 1 } : rangeOf(query, { nowMs });
  const key = { marketId: market.id, dataType: "orderbook", timeframe: "" } as const;
  const state = await store.api.rangeState(key, range);
  await checkStored(call, market, key, state);
  return rowsReply(isOne ? { ...call, query: { ...query, order: "desc" as const, limit: 1 } } : call, {
    market,
    name: `${market.exchange}-${market.nativeSymbol}-book`,
    kind: "books",
    range,
    read: (request) => store.api.bookPage(query.depth, request),
    headers: {},
    freshness: freshnessOf(range, state, { nowMs, isBounded: (isOne ? query.at : query.to) !== undefined }),
    isLast: isOne,
  });
};

/**
 * An empty answer is one about what is collected: what is not must not look like it.
 * @throws ApiProblem 404 naming what is stored of the market
 */
async function checkStored(
  { board }: Pick<RouteParts, "board">,
  market: StoredMarket,
  { dataType, timeframe }: LedgerKey,
  state: RangeState,
): Promise<void> {
  if (state.series !== undefined) return;
  const series = await board.series(market.id);
  // Known, and all of it is too old to be kept.
  if (series.some((each) => each.data_type === dataType && (each.timeframe ?? "") === timeframe)) return;
  const nameOf = (type: LedgerKey["dataType"], length: string | null): string =>
    type === "ohlcv" ? (length ?? "") : type === "orderbook" ? "book" : type;
  const stored = series.map((each) => nameOf(each.data_type, each.timeframe));
  const parameter = dataType === "ohlcv" ? "timeframe" : "market";
  throw new ApiProblem(
    404,
    `${parameter}: nothing is stored of ${formatMarketName(market)} ${nameOf(dataType, timeframe)}; stored: ${stored.length === 0 ? "nothing yet" : stored.join(", ")}`,
    dataType === "ohlcv"
      ? { parameter, nearest: series.flatMap((each) => each.timeframe ?? []) }
      : { parameter },
  );
}

interface RowSource {
  readonly market: StoredMarket;
  readonly name: string;
  readonly kind: keyof typeof CSV_HEADERS;
  readonly range: TimeRange;
  readonly read: (request: RowPageRequest) => Promise<RowPage>;
  readonly headers: Readonly<Record<string, string>>;
  readonly freshness: Freshness;
  /** Rows of a page while everything is streamed, where they are dearer than others. */
  readonly streamRows?: number | undefined;
  /** No page follows, however full this one is. */
  readonly isLast?: boolean;
}

function rowsReply(
  { query, signal }: Pick<Call<"candles" | "trades" | "book">, "query" | "signal">,
  source: RowSource,
): RowsReply {
  const { format, order } = query;
  const limit = query.limit ?? (format === "json" ? PAGE_ROWS_DEFAULT : "all");
  let after = query.cursor === undefined ? undefined : positionOf(query.cursor);
  let isFull = false;
  const request = (rowsMax: number): RowPageRequest => ({
    marketId: source.market.id,
    range: source.range,
    order,
    lines: linesOf(format),
    separator: separatorOf(format),
    rowsMax,
    after,
  });
  const pages = async function* (): AsyncGenerator<RowPage, void> {
    const rowsMax =
      limit === "all" ? Math.min(STREAM_PAGE_ROWS[source.kind], source.streamRows ?? Infinity) : limit;
    do {
      if (signal.aborted) return;
      const page = await source.read(request(rowsMax));
      after = page.last ?? after;
      isFull = page.rows === rowsMax;
      yield page;
    } while (limit === "all" && isFull);
  };
  return {
    kind: "rows",
    format,
    fileName: source.name.replace(/[^\w.-]/g, "_"),
    csvHeader: CSV_HEADERS[source.kind],
    pages: pages(),
    nextCursor: () =>
      limit === "all" || !isFull || after === undefined || source.isLast === true
        ? null
        : encodeCursor([after.us, after.id]),
    isOnePage: limit !== "all",
    headers: source.headers,
    freshness: source.freshness,
  };
}

function linesOf(format: RowFormat): "json" | "csv" {
  return format === "csv" ? "csv" : "json";
}

function positionOf(cursor: string): RowPosition {
  const [us, id] = decodeCursor(cursor, ["number", "number"] as const);
  return { us, id };
}

function fromSeries(asked: TimeRange, { series }: RangeState): TimeRange {
  return series && series.startMs < asked.endMs ? { startMs: series.startMs, endMs: asked.endMs } : asked;
}

/** Of the closed candles of the range, those that are stored or proven void, in percent, never rounded up to 100. */
function coverageOf(
  { startMs, endMs }: TimeRange,
  { coveredMs, voidMs }: Pick<RangeState, "coveredMs" | "voidMs">,
  {
    nowMs,
    lengthMs,
    timeframe,
  }: { nowMs: number; lengthMs: number; timeframe: Parameters<typeof ceilToTimeframe>[1] },
): string {
  const first = ceilToTimeframe(startMs, timeframe);
  const last = Math.min(ceilToTimeframe(endMs, timeframe), Math.floor(nowMs / lengthMs) * lengthMs);
  const slots = Math.max(0, (last - first) / lengthMs);
  if (slots === 0) return "unknown";
  const proven = (coveredMs + voidMs) / lengthMs;
  return (Math.floor(Math.min(1, proven / slots) * 10_000) / 100).toFixed(2);
}

/** Only the past has a version to go by: what is under way to the store is not in the ledger yet. */
function freshnessOf(
  { endMs }: TimeRange,
  { version, missingMs, series }: RangeState,
  { nowMs, isBounded }: { nowMs: number; isBounded: boolean },
): Freshness {
  const isProven = missingMs === 0 && series !== undefined && endMs <= series.endMs;
  return isBounded && endMs <= nowMs && isProven ? { version, isClosed: true } : {};
}

function toBook(live: {
  readonly timeMs: number;
  readonly sequence: number;
  readonly bids: readonly (readonly [string, string])[];
  readonly asks: readonly (readonly [string, string])[];
}): Book {
  return {
    time: formatTime(live.timeMs),
    sequence: live.sequence,
    is_valid: true,
    bids: live.bids.map(([price, qty]) => [price, qty]),
    asks: live.asks.map(([price, qty]) => [price, qty]),
  };
}
