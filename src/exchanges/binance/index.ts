// Binance spot by REST: the venue contract over the market-data mirror, which needs no key.
import assert from "node:assert/strict";
import type { CandleCandidate } from "../../core/model/candle.js";
import { formatTime } from "../../core/time.js";
import { floorToTimeframe, timeframeMs, TIMEFRAMES, type Timeframe } from "../../core/timeframe.js";
import type { CandlePage, CandleRequest, Exchange, ExchangeOptions } from "../exchange.js";
import { decodeExchangeInfo, decodeKlines, decodeServerTime, malformed } from "./decode.js";
import { BinanceRest, pathOf } from "./rest.js";

/** Rows of a page of klines; the weight is the same for one row and for all. */
const KLINES_MAX = 1_000;
const WEIGHTS = { time: 1, klines: 2, exchangeInfo: 20 } as const;
const SAMPLE_CHARS_MAX = 200;

/** @throws TickwellError `config` for a `restUrl` that is no address or a `rateLimitShare` outside (0, 1] */
export function createBinance(options: ExchangeOptions): Exchange {
  const rest = new BinanceRest(options);
  return {
    id: "binance",
    restUrl: rest.restUrl,
    // Binance knows every timeframe of ours, and by the same names.
    traits: { candlePageRowsMax: KLINES_MAX, timeframes: TIMEFRAMES, hasContiguousTradeIds: true },

    async fetchMarkets(signal) {
      const info = await rest.get(
        {
          endpoint: "/api/v3/exchangeInfo",
          weight: WEIGHTS.exchangeInfo,
          params: {},
          read: decodeExchangeInfo,
        },
        signal,
      );
      if (info.weightLimit !== undefined) rest.setWeightLimit(info.weightLimit);
      if (info.unreadable.length > 0) {
        options.log.warn(
          { count: info.unreadable.length, first: info.unreadable[0] },
          "binance lists markets we cannot read",
        );
      }
      return info.markets;
    },

    fetchServerTime(signal) {
      return rest.get(
        { endpoint: "/api/v3/time", weight: WEIGHTS.time, params: {}, read: decodeServerTime },
        signal,
      );
    },

    fetchCandles(request, signal) {
      assert(request.fromMs < request.toMs, `candles asked from ${request.fromMs} to ${request.toMs}`);
      assert(request.limit >= 1, `candles asked with a limit of ${request.limit}`);
      const limit = Math.min(request.limit, KLINES_MAX);
      const question = {
        endpoint: "/api/v3/klines",
        params: {
          symbol: request.nativeSymbol,
          interval: request.timeframe,
          startTime: String(request.fromMs),
          // Both ends are inclusive on the open time.
          endTime: String(request.toMs - 1),
          limit: String(limit),
        },
      };
      const path = pathOf(question);
      return rest.get(
        {
          ...question,
          weight: WEIGHTS.klines,
          read: (json) => readPage(json, { ...request, limit, path }),
        },
        signal,
      );
    },

    fetchTrades() {
      throw new Error("not yet");
    },

    close: () => rest.close(),
  };
}

/** @throws TickwellError `malformed_payload` for an answer to something that was not asked: it proves nothing */
function readPage(json: unknown, request: CandleRequest & { readonly path: string }): CandlePage {
  if (!Array.isArray(json)) throw malformed("$", "expected a list of klines, found something else");
  const { fromMs, toMs, limit } = request;
  if (json.length > limit) {
    throw malformed("$", `expected ${limit} klines at most, found ${json.length}`);
  }
  const decoded = decodeKlines(json);
  // A server that does not heed endTime goes on to the forming candle: its rows take nothing from what was asked for.
  // Anything further off is no answer to this question, such as times in microseconds.
  const laterMs = toMs + limit * timeframeMs(request.timeframe);
  const isLater = ({ openTimeMs }: CandleCandidate): boolean =>
    openTimeMs !== undefined && openTimeMs >= toMs && openTimeMs < laterMs;
  const candidates = decoded.slice(0, decoded.findLastIndex((row) => !isLater(row)) + 1);
  for (let i = 0; i < candidates.length; i++) {
    const openTimeMs = candidates[i]?.openTimeMs;
    if (openTimeMs === undefined || (openTimeMs >= fromMs && openTimeMs < toMs)) continue;
    throw malformed(
      `$[${i}][0]`,
      `expected open times in [${fromMs}, ${toMs}), found ${openTimeMs} (asked ${formatTime(fromMs)} to ${formatTime(toMs)})`,
      JSON.stringify(json[i]).slice(0, SAMPLE_CHARS_MAX),
    );
  }
  refuseLongerCandles(json, request.timeframe);
  const hasLater = candidates.length < decoded.length;
  const provenToMs = hasLater || candidates.length === 0 ? toMs : provenByRows(candidates, request);
  return { candidates, provenToMs, request: request.path };
}

/**
 * Rows speak for what lies before the last of them and for that one, not for what follows: a server may give fewer rows
 * than asked for although it has more. Only an answer without any row speaks for all that was asked. The last row may lie
 * off the grid (early 2018 has such): the proof ends on it all the same.
 */
function provenByRows(candidates: readonly CandleCandidate[], request: CandleRequest): number {
  const { timeframe, toMs, limit } = request;
  const lastMs = candidates.findLast((candidate) => candidate.openTimeMs !== undefined)?.openTimeMs;
  if (lastMs !== undefined)
    return Math.min(floorToTimeframe(lastMs, timeframe) + timeframeMs(timeframe), toMs);
  if (candidates.length === limit) throw malformed("$[0][0]", "no row has a readable open time");
  return toMs;
}

/** A cache or a server that does not heed the interval sends candles that open on our grid and are not ours. */
function refuseLongerCandles(rows: readonly unknown[], timeframe: Timeframe): void {
  rows.forEach((row, i) => {
    if (!Array.isArray(row)) return;
    const [openTimeMs, closeTimeMs] = [row[0], row[6]] as [unknown, unknown];
    if (typeof openTimeMs !== "number" || typeof closeTimeMs !== "number") return;
    if (closeTimeMs < openTimeMs + timeframeMs(timeframe)) return;
    throw malformed(
      `$[${i}][6]`,
      `expected candles of ${timeframe}, found one from ${openTimeMs} to ${closeTimeMs}`,
    );
  });
}
