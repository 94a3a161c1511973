// The markets of a simulated venue that was not told which. Every venue has one that is listed later and, but for
// USDⓈ-M, one whose life ended; what two venues both list has prices of its own on each.
import type { MarketSpec } from "./market-spec.js";
import type { VenueName } from "./venue-name.js";

/** Where the history of the default markets begins. */
export const DEFAULT_LISTED_MS = Date.UTC(2020, 0, 1);

interface Life {
  readonly listedMs?: number;
  readonly suspendedMs?: number;
}

type Row = readonly [
  symbol: string,
  decimals: readonly [price: number, qty: number],
  typical: readonly [ticks: number, lots: number],
  pace: readonly [aggregatesPerMinute: number, volatility: number],
  more?: Life & Pick<MarketSpec, "contractDecimals">,
];

const MARKETS = {
  binance: [
    ["BTC/USDT", [2, 5], [4_200_000, 4_000], [9, 0.0003]],
    ["ETH/USDT", [2, 4], [240_000, 6_000], [8, 0.00035]],
    ["SOL/USDT", [2, 3], [11_000, 8_000], [7, 0.0005]],
    ["BNB/USDT", [2, 3], [41_000, 900], [5, 0.0003]],
    ["XRP/USDT", [4, 1], [6_200, 9_000], [6, 0.0004]],
    ["DOGE/USDT", [5, 0], [9_500, 4_000], [6, 0.0005]],
    ["ADA/USDT", [4, 1], [4_800, 7_000], [4, 0.0004]],
    ["SHIB/USDT", [8, 0], [1_800, 9_000_000], [5, 0.0005]],
    ["LTC/USDT", [2, 3], [8_600, 2_500], [4, 0.0004]],
    // Slow enough for minutes without trades.
    ["QKC/BTC", [8, 0], [45, 40_000], [0.8, 0.0006]],
    [
      "LUNA/USDT",
      [4, 2],
      [600_000, 900],
      [4, 0.0006],
      { listedMs: Date.UTC(2020, 7, 21, 4), suspendedMs: Date.UTC(2022, 4, 13, 0, 40) },
    ],
    // Listed in the middle of a day.
    ["WIF/USDT", [4, 2], [21_000, 9_000], [5, 0.0008], { listedMs: Date.UTC(2024, 2, 5, 10, 7) }],
  ],
  binanceusdm: [
    ["BTC/USDT:USDT", [1, 3], [423_000, 60], [9, 0.0003]],
    ["ETH/USDT:USDT", [2, 3], [242_000, 700], [8, 0.00035]],
    ["WIF/USDT:USDT", [4, 1], [22_500, 900], [5, 0.0008], { listedMs: Date.UTC(2024, 0, 18, 13, 30) }],
  ],
  okx: [
    ["BTC/USDT", [1, 6], [418_000, 40_000], [8, 0.0003]],
    ["ETH/USDT", [2, 5], [238_500, 60_000], [7, 0.00035]],
    ["SOL/USDT", [2, 4], [10_850, 80_000], [6, 0.0005]],
    ["BTC/USDT:USDT", [1, 4], [419_500, 400], [9, 0.0003], { contractDecimals: 2 }],
    ["ETH/USDT:USDT", [2, 3], [239_300, 600], [8, 0.00035], { contractDecimals: 1 }],
    ["WIF/USDT", [4, 2], [20_300, 9_000], [5, 0.0008], { listedMs: Date.UTC(2024, 2, 6, 9, 3) }],
    ["XMR/USDT", [2, 4], [16_400, 9_000], [4, 0.0004], { suspendedMs: Date.UTC(2024, 0, 5, 8) }],
  ],
} as const satisfies Record<VenueName, readonly Row[]>;

/** @param listedMs since when the markets trade, on a full minute; those that are listed later keep their day */
export function defaultMarkets(
  listedMs: number = DEFAULT_LISTED_MS,
  venue: VenueName = "binance",
): readonly MarketSpec[] {
  const rows: readonly Row[] = MARKETS[venue];
  return rows
    .map(
      ([
        symbol,
        [priceDecimals, qtyDecimals],
        [baseTicks, typicalLots],
        [aggregatesPerMinute, volatility],
        more,
      ]) => ({
        symbol,
        priceDecimals,
        qtyDecimals,
        baseTicks,
        typicalLots,
        aggregatesPerMinute,
        volatility,
        ...more,
        listedMs: Math.max(listedMs, more?.listedMs ?? 0),
      }),
    )
    .filter((spec) => spec.suspendedMs === undefined || spec.suspendedMs > spec.listedMs);
}
