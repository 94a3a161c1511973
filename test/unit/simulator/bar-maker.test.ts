import { describe, expect, it } from "vitest";
import { BarMaker } from "../../../simulator/bar-maker.js";
import { defaultMarkets } from "../../../simulator/default-markets.js";
import { checkMarketSpec, type MarketSpec } from "../../../simulator/market-spec.js";
import { TradeTape } from "../../../simulator/trade-tape.js";

const DAY_MINUTES = 1_440;
const FROM_MINUTE = Date.UTC(2024, 0, 1) / 60_000;
const [btc] = defaultMarkets();
/** As busy and as dear as a simulated market may be: a day's notional is beyond what a double holds exactly. */
const heavy: MarketSpec = {
  ...(btc as MarketSpec),
  symbol: "HEAVY/USDT",
  baseTicks: 20_000_000,
  typicalLots: 5_200,
  aggregatesPerMinute: 200,
};

describe("a bar of a heavy market", () => {
  it.each([1, 2])("sums up %i days of notional exactly", (days) => {
    checkMarketSpec(heavy);
    const tape = new TradeTape(1, heavy, []);
    const toMinute = FROM_MINUTE + days * DAY_MINUTES;
    let notional = 0n;
    let buys = 0n;
    for (let minute = FROM_MINUTE; minute < toMinute; minute++) {
      for (const { ticks, lots, isBuyerMaker } of tape.aggregatesOf(minute)) {
        notional += BigInt(ticks) * BigInt(lots);
        if (!isBuyerMaker) buys += BigInt(ticks) * BigInt(lots);
      }
    }
    expect(notional).toBeGreaterThan(BigInt(Number.MAX_SAFE_INTEGER));
    const bars = new BarMaker(tape);
    // Once while the last day forms, once out of whole days.
    for (const untilMs of [toMinute * 60_000 - 1, toMinute * 60_000]) {
      const bar = bars.bar(FROM_MINUTE, toMinute, untilMs);
      expect(bar).toMatchObject({ notional, takerBuyNotional: buys });
    }
  });
});

describe("a simulated market", () => {
  it.each<[Partial<MarketSpec>, string]>([
    [{ symbol: "BTCUSDT" }, "BASE/QUOTE"],
    [{ priceDecimals: 5 }, "at most 8 together"],
    [{ aggregatesPerMinute: 500 }, "0.1 to 200"],
    [{ typicalLots: 10_000_000 }, "a product of at most"],
    [{ listedMs: 1 }, "a full minute"],
  ])("with %j is refused", (change, words) => {
    expect(() => checkMarketSpec({ ...heavy, ...change })).toThrow(words);
  });
});
