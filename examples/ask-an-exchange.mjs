// Asks an exchange: its clock, its markets, a page of candles, a page of trades. The same five functions for every venue.
// node examples/ask-an-exchange.mjs [okx|binance|binanceusdm]
// Without a simulator: leave out restUrl, and the venue's public host is asked.
import { createExchange, startSimulatedExchange, systemClock } from "tickwell";

const [, , name = "okx"] = process.argv;
const never = new AbortController().signal;
const simulator = await startSimulatedExchange({ seed: 7, clock: systemClock });
const exchange = createExchange(name, { restUrl: simulator.url });

const nowMs = await exchange.fetchServerTime(never);
console.log(`${exchange.id}: it is ${new Date(nowMs).toISOString()}`);
const markets = await exchange.fetchMarkets(never);
console.log(`markets: ${markets.map(({ symbol }) => symbol).join(" ")}`);

const { nativeSymbol, symbol } = markets[0];
const toMs = Math.floor(nowMs / 60_000) * 60_000;
const fromMs = toMs - 5 * 60_000;
const page = await exchange.fetchCandles({ nativeSymbol, timeframe: "1m", fromMs, toMs, limit: 5 }, never);
for (const { openTimeMs, close, volume } of page.candidates)
  console.log(`${symbol} ${new Date(openTimeMs).toISOString()} ${close} ${volume}`);
const trades = await exchange.fetchTrades({ nativeSymbol, fromMs: toMs - 60_000, toMs }, never);
console.log(`${trades.candidates.length} trades in the last full minute`);

await exchange.close();
await simulator.close();
