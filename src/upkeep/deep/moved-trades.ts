// Whether a venue's candle is that of its trades with one or a few of them counted in the neighbouring minute.
import type { Decimal } from "../../core/decimal.js";
import type { Trade } from "../../core/model/trade.js";
import { buildCandles } from "../../pipeline/fold/candle-builder.js";
import { DecimalSum } from "../../pipeline/fold/decimal-sum.js";
import { differencesFromTrades, valuesOf, type CandleValues } from "./candle-values.js";
import type { MinuteTrades } from "./minute-trades.js";

/** Trades on each side of each edge that may have been counted elsewhere. */
const EDGE_TRADES = 6;

/** The candle of these trades, whatever minute their times lie in. */
export function rebuild(trades: readonly Trade[], openTimeMs: number): CandleValues | undefined {
  const inOrder = [...trades].sort((a, b) => a.id - b.id);
  const [candle] = buildCandles(
    inOrder.map((trade) => ({ ...trade, timeMs: openTimeMs })),
    "1m",
  );
  return candle && valuesOf(candle);
}

/**
 * Finds the fewest trades near the minute's edges that, counted on the other side, make the venue's candle exactly.
 * Tried are runs of trades that end at an edge, and any one or two near one.
 * @returns their ids; undefined when no such trades explain the candle
 */
export function findMovedTrades(
  venue: CandleValues,
  trades: MinuteTrades,
  openTimeMs: number,
): readonly number[] | undefined {
  const inside = new Set(trades.inside);
  for (const moved of movesOf(trades)) {
    if (!hasVolume(venue.volume, trades.inside, moved, inside)) continue;
    const out = new Set(moved);
    const counted = [
      ...trades.inside.filter((trade) => !out.has(trade)),
      ...moved.filter((trade) => !inside.has(trade)),
    ];
    if (differencesFromTrades(venue, rebuild(counted, openTimeMs)).length === 0)
      return moved.map((trade) => trade.id).sort((a, b) => a - b);
  }
  return undefined;
}

/** Sets of trades that may have been counted on the other side of an edge, small ones first. */
function movesOf({ before, inside, after }: MinuteTrades): Trade[][] {
  const starts = runs([...before.slice(-EDGE_TRADES)].reverse(), inside.slice(0, EDGE_TRADES));
  const ends = runs(after.slice(0, EDGE_TRADES), [...inside.slice(-EDGE_TRADES)].reverse());
  const near = [
    ...new Set([
      ...before.slice(-EDGE_TRADES),
      ...inside.slice(0, EDGE_TRADES),
      ...inside.slice(-EDGE_TRADES),
      ...after.slice(0, EDGE_TRADES),
    ]),
  ];
  const few = near.flatMap((one, i) => [[one], ...near.slice(i + 1).map((other) => [one, other])]);
  const both = starts.flatMap((start) => ends.map((end) => [...new Set([...start, ...end])]));
  return [...few, ...both].filter((moved) => moved.length > 0).sort((a, b) => a.length - b.length);
}

/** Runs from an edge outwards and inwards, the empty one included; both lists begin at the edge. */
function runs(outwards: readonly Trade[], inwards: readonly Trade[]): Trade[][] {
  return [
    [],
    ...outwards.map((_, i) => outwards.slice(0, i + 1)),
    ...inwards.map((_, i) => inwards.slice(0, i + 1)),
  ];
}

/** Cheap, and true for few sets: only these are rebuilt. */
function hasVolume(
  volume: Decimal,
  counted: readonly Trade[],
  moved: readonly Trade[],
  inside: ReadonlySet<Trade>,
): boolean {
  const sum = new DecimalSum();
  for (const { qty } of counted) sum.add(qty);
  for (const trade of moved) {
    if (inside.has(trade)) sum.subtract(trade.qty);
    else sum.add(trade.qty);
  }
  return sum.toDecimal() === volume;
}
