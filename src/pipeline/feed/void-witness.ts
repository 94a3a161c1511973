// Before a long absence or an empty answer is believed, the exchange is asked differently: a node, or a cache before it,
// that answers one question with nothing does so twice.
//
// 1. The wider question takes in some candles on both sides of the claims. Those of them that are known to exist must come
//    back; if one does not, the answer is worth nothing, and no claim is believed.
// 2. A row within a claim contradicts it: the wider answer takes the place of the first one.
// 3. A claim that the answer reaches across without a row is believed. An answer with as many rows as were asked for reaches
//    to its last row only.
import type { CandleBatch, MissingRange, VoidClaim } from "../../core/model/candle-batch.js";
import type { TimeRange } from "../../core/range.js";
import { floorToTimeframe, timeframeMs, type Timeframe } from "../../core/timeframe.js";
import type { CandlePage } from "../../exchanges/exchange.js";

/** On each side: one may be a hole of its own. */
const WITNESSES_MAX = 3;

/** How many neighbours a wider question takes in on each side: in a page, there must be room behind them. */
export function witnessesIn(pageRows: number): number {
  return Math.max(1, Math.min(WITNESSES_MAX, pageRows - 1));
}

/** The claims of a page that its answer alone does not carry: all of an empty one, and those longer than a page. */
export function claimsInDoubt({ voids, candles, timeframe }: CandleBatch, pageRows: number): VoidClaim[] {
  const longestMs = pageRows * timeframeMs(timeframe);
  return voids.filter(({ startMs, endMs }) => candles.length === 0 || endMs - startMs > longestMs);
}

/** The question that takes in the neighbours of the claims, as far as these are closed. */
export function widerQuestion(
  claims: readonly VoidClaim[],
  { timeframe, exchangeNowMs, pageRows }: { timeframe: Timeframe; exchangeNowMs: number; pageRows: number },
): TimeRange {
  const sideMs = witnessesIn(pageRows) * timeframeMs(timeframe);
  const startMs = Math.min(...claims.map((claim) => claim.startMs));
  const endMs = Math.max(...claims.map((claim) => claim.endMs));
  const closedEndMs = floorToTimeframe(exchangeNowMs, timeframe);
  return {
    // There is no time before 1970.
    startMs: startMs < sideMs ? startMs : startMs - sideMs,
    endMs: Math.max(endMs, Math.min(endMs + sideMs, closedEndMs)),
  };
}

export interface Testimony {
  /** True when the answer holds a row where nothing should be. */
  readonly contradicts: boolean;
  readonly believed: readonly VoidClaim[];
}

/** What the wider answer says of the claims. @param known open times that must come back */
export function hearWitness(
  page: CandlePage,
  {
    claims,
    known,
    question,
    limit,
    timeframe,
  }: {
    readonly claims: readonly VoidClaim[];
    readonly known: ReadonlySet<number>;
    readonly question: TimeRange;
    readonly limit: number;
    readonly timeframe: Timeframe;
  },
): Testimony {
  const times = page.candidates.map(({ openTimeMs }) => openTimeMs);
  const isClaimed = (timeMs: number): boolean =>
    claims.some(({ startMs, endMs }) => timeMs >= startMs && timeMs < endMs);
  if (times.some((timeMs) => timeMs !== undefined && isClaimed(timeMs)))
    return { contradicts: true, believed: [] };
  const last = Math.max(...times.map((timeMs) => timeMs ?? -Infinity));
  const reachMs = times.length < limit ? question.endMs : last + timeframeMs(timeframe);
  const told = new Set(times);
  const isSilent = [...known].some((timeMs) => timeMs < reachMs && !told.has(timeMs));
  if (isSilent || told.has(undefined)) return { contradicts: false, believed: [] };
  return { contradicts: false, believed: claims.filter(({ endMs }) => endMs <= reachMs) };
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
