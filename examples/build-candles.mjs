// Builds five-minute candles from an exchange's trades, exactly, and compares them with the exchange's own.
// node examples/build-candles.mjs
import { buildCandles, createExchange, scaledClock, startSimulatedExchange, validateTrades } from "tickwell";

const clock = scaledClock({ startMs: Date.UTC(2024, 0, 2), factor: 1 });
const simulated = await startSimulatedExchange({ seed: 42, clock });
const exchange = createExchange("binance", { restUrl: simulated.url });
const signal = new AbortController().signal;
const range = { fromMs: Date.UTC(2024, 0, 1, 12), toMs: Date.UTC(2024, 0, 1, 12, 15) };

const candidates = [];
let cursor;
do {
  const page = await exchange.fetchTrades({ nativeSymbol: "BTCUSDT", ...range, cursor }, signal);
  candidates.push(...page.candidates);
  cursor = page.next;
} while (cursor !== undefined);

const { trades, rejected, idGaps } = validateTrades(candidates, { hasContiguousIds: true });
console.log(`${trades.length} trades, ${rejected.length} refused, ${idGaps.length} holes in their ids`);
const official = simulated.truth.candles("BTC/USDT", "5m", range.fromMs, range.toMs);
for (const [i, candle] of buildCandles(trades, "5m").entries()) {
  const isSame = JSON.stringify(candle) === JSON.stringify(official[i]);
  console.log(
    `${new Date(candle.openTimeMs).toISOString()} ${candle.open} … ${candle.close}, ${candle.volume} in ${candle.tradeCount} trades: ${isSame ? "as the exchange says" : "differs"}`,
  );
}
await exchange.close();
await simulated.close();
