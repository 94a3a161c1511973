// Follows a simulated market's trades and order book by WebSocket for a few seconds, and reads them back.
// node examples/follow-live.mjs
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import {
  createExchange,
  LiveFollower,
  openStore,
  Pipeline,
  scaledClock,
  silentLog,
  startSimulatedExchange,
} from "tickwell";

const dataDir = await mkdtemp(join(tmpdir(), "tickwell-example-"));
// Ten times as fast as life, so that there is something to see.
const clock = scaledClock({ startMs: Date.now(), factor: 10 });
const simulator = await startSimulatedExchange({ seed: 7, clock });
const store = await openStore("embedded", { dataDir });
const exchange = createExchange("okx", { restUrl: simulator.url, clock });
const pipeline = new Pipeline({ store, clock, log: silentLog, stageRowsMax: 40_000 });

const never = new AbortController().signal;
const listed = await exchange.fetchMarkets(never);
const [market] = await store.putMarkets("okx", [listed.find(({ symbol }) => symbol === "BTC/USDT")], {
  isSimulated: true,
});
const follower = new LiveFollower({
  exchange,
  wsUrl: simulator.url.replace("http", "ws"),
  markets: [
    {
      market,
      trades: true,
      book: { levels: 3, snapshotEveryMs: 1_000, keepsDeltas: false },
      timeframes: ["1m"],
      validation: { onFailure: "skip_and_log", maxPriceJump: 20, maxVolumeSpike: 50 },
    },
  ],
  store,
  stage: pipeline.stage,
  clock,
  random: { next: Math.random },
  log: silentLog,
  sweepEveryMs: 60_000,
  onGap: (_market, { firstId, lastId }) => console.log(`trades ${firstId} to ${lastId} are missing`),
});
const stop = new AbortController();
const following = follower.run(stop.signal, AbortSignal.timeout(30_000));
await delay(4_000);
stop.abort();
await following;
await pipeline.close();

const everything = { startMs: 0, endMs: clock.nowMs() + 60_000 };
for await (const trades of store.live.readTrades(market.id, everything, never))
  for (const { id, price, qty, side } of trades.slice(-3))
    console.log(`trade ${id}: ${side} ${qty} at ${price}`);
for await (const books of store.live.readBooks(market.id, everything, never))
  for (const { sequence, bids, asks } of books.slice(-3))
    console.log(`book ${sequence}: ${bids[0]?.join(" × ")} | ${asks[0]?.join(" × ")}`);
console.log(`missing trades: ${(await store.live.missingTrades(market.id)).length}`);

await exchange.close();
await store.close();
await simulator.close();
await rm(dataDir, { recursive: true });
