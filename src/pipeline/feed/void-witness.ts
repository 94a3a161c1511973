// Before a long absence or an empty answer is believed, the exchange is asked differently: a node, or a cache before it,
// that answers one question with nothing does so twice.
//
// 1. The wider question takes in some candles on both sides of the claims. Where none is known behind them, it reaches to the
//    latest candle the exchange has shown: a node that lags behind the others knows what was before, and nothing since.
// 2. It is asked on until the answers speak for more than the claims. Candles that are known to exist must come back; if one
//    does not, the answers are worth nothing, and no claim is believed.
// 3. A row within a claim contradicts it: the wider answer takes the place of the first one.
// 4. A claim that the answers reach across without a row is believed.
import type { CandleBatch, MissingRange, VoidClaim } from "../../core/model/candle-batch.js";
import type { CandleCandidate } from "../../core/model/candle.js";
import type { TimeRange } from "../../core/range.js";
import { floorToTimeframe, timeframeMs, type Timeframe } from "../../core/timeframe.js";
import type { CandlePage } from "../../exchanges/exchange.js";

/** On each side: one may be a hole of its own. */
const WITNESSES_MAX = 3;
/** Answers to one wider question; a venue may give a few rows at a time. */
const ANSWERS_MAX = 6;

/** How many neighbours a wider question takes in on each side: in a page, there must be room behind them. */
function witnessesIn(pageRows: number): number {
  return Math.max(1, Math.min(WITNESSES_MAX, pageRows - 1));
}

/** The claims of a page that its answer alone does not carry: all of an empty one, and those longer than a page. */
export function claimsInDoubt({ voids, candles, timeframe }: CandleBatch, pageRows: number): VoidClaim[] {
  const longestMs = pageRows * timeframeMs(timeframe);
  return voids.filter(({ startMs, endMs }) => candles.length === 0 || endMs - startMs > longestMs);
}

/** What bears on some claims of a void. */
export interface Witnesses {
  readonly question: TimeRange;
  /** Open times within the question at which the exchange has candles, by what it said before. */
  readonly known: ReadonlySet<number>;
}

export interface WitnessContext {
  readonly timeframe: Timeframe;
  readonly exchangeNowMs: number;
  readonly pageRows: number;
  /** The latest open time at which the exchange has shown a candle; -Infinity if none is known. */
  readonly latestSeenMs: number;
  /** The last `count` stored open times before `beforeMs`. */
  readonly stored: (beforeMs: number, count: number) => Promise<readonly number[]>;
}

/**
 * The wider question about these claims, and what must come back.
 * @param seen open times the exchange has just shown
 */
export async function witnessesAround(
  claims: readonly TimeRange[],
  seen: readonly number[],
  { timeframe, exchangeNowMs, pageRows, latestSeenMs, stored }: WitnessContext,
): Promise<Witnesses> {
  const lengthMs = timeframeMs(timeframe);
  const count = witnessesIn(pageRows);
  const { startMs, endMs } = spanOf(claims);
  const closedEndMs = floorToTimeframe(exchangeNowMs, timeframe);
  const near = {
    // There is no time before 1970.
    startMs: Math.max(startMs - count * lengthMs, Math.min(startMs, 0)),
    endMs: Math.max(endMs, Math.min(endMs + count * lengthMs, closedEndMs)),
  };
  const isClaimed = isWithinAny(claims);
  const around = [
    ...seen,
    latestSeenMs,
    ...(await stored(startMs, count)),
    ...(await stored(near.endMs, count)),
  ].filter((timeMs) => timeMs >= near.startMs && timeMs < near.endMs && !isClaimed(timeMs));
  if (latestSeenMs < endMs || around.some((timeMs) => timeMs >= endMs))
    return { question: near, known: new Set(around) };
  return {
    question: { ...near, endMs: Math.max(near.endMs, latestSeenMs + lengthMs) },
    known: new Set([...around, latestSeenMs]),
  };
}

/** What the answers to a wider question say. */
export interface Testimony<T extends TimeRange> {
  /** All answers as one; undefined when there was none. */
  readonly page: CandlePage | undefined;
  /** True when a row lies where nothing should be. */
  readonly contradicts: boolean;
  readonly believed: readonly T[];
}

/**
 * Asks the wider question, and what its answers say of the claims.
 * @param ask one question; undefined when it could not be answered, which proves nothing
 */
export async function hearWitnesses<T extends TimeRange>(
  ask: (range: TimeRange) => Promise<CandlePage | undefined>,
  claims: readonly T[],
  { question, known }: Witnesses,
): Promise<Testimony<T>> {
  const candidates: CandleCandidate[] = [];
  const claimed = spanOf(claims);
  let page: CandlePage | undefined;
  let reachMs = question.startMs;
  for (let answers = 0; answers < ANSWERS_MAX && reachMs < question.endMs; answers++) {
    const answer = await ask({ startMs: reachMs, endMs: question.endMs });
    if (answer === undefined || answer.provenToMs <= reachMs) break;
    candidates.push(...answer.candidates);
    reachMs = answer.provenToMs;
    page = { candidates, provenToMs: reachMs, request: answer.request };
    const last = lastOf(answer.candidates);
    if (last !== undefined && last >= claimed.endMs) break;
  }
  const times = candidates.map(({ openTimeMs }) => openTimeMs);
  const isClaimed = isWithinAny(claims);
  if (times.some((timeMs) => timeMs !== undefined && isClaimed(timeMs)))
    return { page, contradicts: true, believed: [] };
  const told = new Set(times);
  const isSilent = [...known].some((timeMs) => timeMs < reachMs && !told.has(timeMs));
  if (isSilent || told.has(undefined)) return { page, contradicts: false, believed: [] };
  return { page, contradicts: false, believed: claims.filter(({ endMs }) => endMs <= reachMs) };
}

/** The batch with those claims only that are believed; the wider question takes the place of the second in their proof. */
export function withBelieved(
  batch: CandleBatch,
  doubted: readonly VoidClaim[],
  {
    believed,
    request,
    nextAskMs,
  }: { believed: readonly VoidClaim[]; request: string; nextAskMs: (range: TimeRange) => number },
): CandleBatch {
  const voids = batch.voids.filter((claim) => !doubted.includes(claim));
  for (const claim of believed) {
    const [first] = claim.proof.asked;
    const asked = [...(first ? [first] : []), { atMs: batch.receivedMs, request }];
    voids.push({ ...claim, proof: { asked } });
  }
  const missing = doubted
    .filter((claim) => !believed.includes(claim))
    .map((claim): MissingRange => {
      const { startMs, endMs } = claim;
      return { startMs, endMs, reason: "absent", detail: request, nextAskMs: nextAskMs(claim) };
    });
  return {
    ...batch,
    voids: voids.sort((a, b) => a.startMs - b.startMs),
    missing: [...batch.missing, ...missing],
  };
}

/** From the start of the first to the end of the last. */
function spanOf(ranges: readonly TimeRange[]): TimeRange {
  return {
    startMs: Math.min(...ranges.map(({ startMs }) => startMs)),
    endMs: Math.max(...ranges.map(({ endMs }) => endMs)),
  };
}

function lastOf(candidates: readonly CandleCandidate[]): number | undefined {
  return candidates.findLast(({ openTimeMs }) => openTimeMs !== undefined)?.openTimeMs;
}

function isWithinAny(ranges: readonly TimeRange[]): (timeMs: number) => boolean {
  return (timeMs) => ranges.some(({ startMs, endMs }) => timeMs >= startMs && timeMs < endMs);
}
