// The trades of one minute and its neighbours as the venue has them now, checked and put in order.
import type { TimeRange } from "../../core/range.js";
import type { Trade, TradeCandidate } from "../../core/model/trade.js";
import { TickwellError } from "../../core/fault.js";
import { formatTime } from "../../core/time.js";
import type { RestExchange } from "../../exchanges/exchange.js";
import { validateTrades, type IdGap, type TradeRejection } from "../../pipeline/gate/trade-gate.js";

export interface MinuteTrades {
  /** By their time, each list in the order of ids. */
  readonly before: readonly Trade[];
  readonly inside: readonly Trade[];
  readonly after: readonly Trade[];
  /** Fills that the venue does not have in or beside the minute; none where ids are not contiguous. */
  readonly idGaps: readonly IdGap[];
  /** Rows without readable or possible values. */
  readonly rejected: readonly TradeRejection[];
}

const MINUTE_MS = 60_000;
/** What is asked for on both sides of the minute: neighbours show whether ids are missing at its edges. */
export const NEIGHBOURS_MS = 10_000;
/** Of a thousand trades each: the busiest minute known had some twenty thousand. */
const PAGES_MAX = 100;

/**
 * Asks page by page for the minute that opens at `openTimeMs`.
 * @throws TickwellError what the venue throws, `bad_request` where it does not keep trades that long;
 *   `malformed_payload` when its pages have no end
 */
export async function fetchMinuteTrades(
  exchange: Pick<RestExchange, "id" | "fetchTrades" | "traits">,
  { nativeSymbol, openTimeMs }: { readonly nativeSymbol: string; readonly openTimeMs: number },
  signal: AbortSignal,
): Promise<MinuteTrades> {
  const range: TimeRange = {
    startMs: openTimeMs - NEIGHBOURS_MS,
    endMs: openTimeMs + MINUTE_MS + NEIGHBOURS_MS,
  };
  const candidates: TradeCandidate[] = [];
  let cursor: string | undefined;
  for (let pages = 0; ; pages++) {
    if (pages === PAGES_MAX) {
      throw new TickwellError(
        { kind: "malformed_payload", path: "$", sample: "" },
        `${exchange.id} ${nativeSymbol}: the trades of ${formatTime(openTimeMs)} fill more than ${PAGES_MAX} pages; expected an end`,
      );
    }
    const page = await exchange.fetchTrades(
      { nativeSymbol, fromMs: range.startMs, toMs: range.endMs, cursor },
      signal,
    );
    candidates.push(...page.candidates);
    cursor = page.next;
    if (cursor === undefined) break;
  }
  return sortTrades(candidates, {
    openTimeMs,
    range,
    hasContiguousIds: exchange.traits.tradeNumbering !== undefined,
  });
}

function sortTrades(
  candidates: readonly TradeCandidate[],
  {
    openTimeMs,
    range,
    hasContiguousIds,
  }: { openTimeMs: number; range: TimeRange; hasContiguousIds: boolean },
): MinuteTrades {
  // Pages may come newest first.
  const inOrder = [...candidates].sort((a, b) => (a.id ?? Infinity) - (b.id ?? Infinity));
  const { trades, rejected, idGaps } = validateTrades(inOrder, { range, hasContiguousIds });
  const before = trades.filter((trade) => trade.timeMs < openTimeMs);
  const after = trades.filter((trade) => trade.timeMs >= openTimeMs + MINUTE_MS);
  const firstId = before.at(-1)?.lastFillId ?? -Infinity;
  const endId = after[0]?.firstFillId ?? Infinity;
  return {
    before,
    inside: trades.filter((trade) => trade.timeMs >= openTimeMs && trade.timeMs < openTimeMs + MINUTE_MS),
    after,
    idGaps: idGaps.filter((gap) => gap.firstMissingId > firstId && gap.lastMissingId < endId),
    // Pages may overlap in a trade: that one is not lost.
    rejected: rejected.filter(
      ({ rule, id }) => rule !== "trade.duplicate" || !trades.some((each) => each.id === id),
    ),
  };
}
