// What a page of klines proves. In: the answer, not believed, and what was asked. Out: a page, or a refusal of it.
import type { CandleCandidate } from "../../core/model/candle.js";
import { formatTime } from "../../core/time.js";
import { floorToTimeframe, timeframeMs, type Timeframe } from "../../core/timeframe.js";
import type { CandlePage, CandleRequest } from "../exchange.js";
import { malformed } from "../malformed.js";
import { refuseBackwards } from "../refuse-backwards.js";
import { decodeKlines } from "./decode.js";

const SAMPLE_CHARS_MAX = 200;

/** @throws TickwellError `malformed_payload` for an answer to something that was not asked: it proves nothing */
export function readCandlePage(
  json: unknown,
  request: CandleRequest & { readonly path: string },
): CandlePage {
  if (!Array.isArray(json)) throw malformed("$", "expected a list of klines, found something else");
  const { fromMs, toMs, limit } = request;
  if (json.length > limit) {
    throw malformed("$", `expected ${limit} klines at most, found ${json.length}`);
  }
  const decoded = decodeKlines(json);
  refuseBackwards(
    decoded.map(({ openTimeMs }) => openTimeMs),
    "ascending",
  );
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
