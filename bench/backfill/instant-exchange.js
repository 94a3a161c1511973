// A Binance whose pages were made before anyone asked: a worker thread that answers klines as fast as HTTP allows, so
// that what is measured is the client. Plain JavaScript, since worker threads take no loader everywhere.
import { createServer } from "node:http";
import { parentPort, workerData } from "node:worker_threads";

const MINUTE_MS = 60_000;
const START_MS = Date.UTC(2025, 0, 1);
const { rows } = workerData;

// One buffer of all rows and where each begins: a page is a slice.
const texts = [];
const offsets = new Int32Array(rows + 1);
let cents = 9_400_000;
let seed = 1;
const random = () => (seed = (seed * 48_271) % 2_147_483_647) / 2_147_483_647;
for (let i = 0, at = 0; i < rows; i++) {
  const openTime = START_MS + i * MINUTE_MS;
  const open = cents;
  cents += Math.round((random() - 0.5) * 8_000);
  const high = Math.max(open, cents) + Math.round(random() * 3_000);
  const low = Math.min(open, cents) - Math.round(random() * 3_000);
  const price = (units) => `"${(units / 100).toFixed(8)}"`;
  const volume = (1 + random() * 900).toFixed(5);
  const text = `[${openTime},${price(open)},${price(high)},${price(low)},${price(cents)},"${volume}000",${openTime + MINUTE_MS - 1},"${(volume * 94_000).toFixed(8)}",${100 + Math.round(random() * 3_000)},"1.00000000","94000.00000000","0"],`;
  texts.push(text);
  offsets[i] = at;
  at += text.length;
  offsets[i + 1] = at;
}
const body = Buffer.from(texts.join(""));
texts.length = 0;

function klines(query) {
  const limit = Number(query.get("limit") ?? 500);
  const from = Math.max(0, Math.ceil((Number(query.get("startTime") ?? START_MS) - START_MS) / MINUTE_MS));
  const last = query.has("endTime")
    ? Math.floor((Number(query.get("endTime")) - START_MS) / MINUTE_MS) + 1
    : rows;
  const to = Math.min(from + limit, last, rows);
  if (to <= from) return Buffer.from("[]");
  return Buffer.concat([Buffer.from("["), body.subarray(offsets[from], offsets[to] - 1), Buffer.from("]")]);
}

const symbols = [
  {
    symbol: "BTCUSDT",
    status: "TRADING",
    baseAsset: "BTC",
    quoteAsset: "USDT",
    baseAssetPrecision: 8,
    quotePrecision: 8,
    isSpotTradingAllowed: true,
    permissions: [],
    permissionSets: [["SPOT"]],
    filters: [
      { filterType: "PRICE_FILTER", minPrice: "0.01", maxPrice: "1000000", tickSize: "0.01" },
      { filterType: "LOT_SIZE", minQty: "0.00001", maxQty: "9000", stepSize: "0.00001" },
    ],
  },
];
// A limit nobody reaches: the client's speed is measured, not its patience.
const rateLimits = [
  { rateLimitType: "REQUEST_WEIGHT", interval: "MINUTE", intervalNum: 1, limit: 100_000_000 },
];
const exchangeInfo = JSON.stringify({
  timezone: "UTC",
  serverTime: Date.now(),
  rateLimits,
  exchangeFilters: [],
  symbols,
});

const server = createServer((request, response) => {
  const { pathname, searchParams } = new URL(request.url, "http://localhost");
  const answer = pathname.endsWith("/klines")
    ? klines(searchParams)
    : pathname.endsWith("/exchangeInfo")
      ? Buffer.from(exchangeInfo)
      : Buffer.from(JSON.stringify({ serverTime: Date.now() }));
  response.writeHead(200, {
    "content-type": "application/json",
    "content-length": answer.length,
    "x-mbx-used-weight-1m": "2",
  });
  response.end(answer);
});
server.listen(0, "127.0.0.1", () => parentPort.postMessage(`http://127.0.0.1:${server.address().port}`));
