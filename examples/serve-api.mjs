// Serves what a store holds over HTTP, and asks it.
// node examples/serve-api.mjs
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { openStore, silentLog, startApi } from "tickwell";

const dataDir = await mkdtemp(join(tmpdir(), "tickwell-example-"));
const store = await openStore("embedded", { dataDir });
await store.putMarkets(
  "binance",
  [
    {
      symbol: "BTC/USDT",
      nativeSymbol: "BTCUSDT",
      baseAsset: "BTC",
      quoteAsset: "USDT",
      marketType: "spot",
      isActive: true,
    },
  ],
  { isSimulated: true },
);

// Port 0 is any free one; without a host only this machine can ask.
const api = await startApi({ store, port: 0, version: "example", log: silentLog });
const { data } = await (await fetch(`${api.url}/api/v1/markets`)).json();
console.log(data.map(({ market }) => market).join(", "));

// A mistake is named, and what may have been meant.
const wrong = await fetch(`${api.url}/api/v1/candles?market=binance:BTCUSDT&timeframe=1m`);
console.log(wrong.status, (await wrong.json()).detail);

await api.close();
await store.close();
await rm(dataDir, { recursive: true, force: true });
