// The API against what there is without it: candles over HTTP against the same rows through psql, requests of many clients at
// once, what they cost those who collect, and from a trade to a thousand clients of the stream.
// npx tsx bench/http.ts [--short]
import { execFile } from "node:child_process";
import { Worker } from "node:worker_threads";
import { promisify } from "node:util";
import autocannon from "autocannon";
import { silentLog } from "../src/core/log.js";
import { systemClock } from "../src/core/clock.js";
import { parseDecimal, type Decimal } from "../src/core/decimal.js";
import { NO_TALLY } from "../src/core/model/live-tally.js";
import type { Trade } from "../src/core/model/trade.js";
import { LiveHub } from "../src/pipeline/live-hub.js";
import { Pipeline } from "../src/pipeline/pipeline.js";
import type { Store, StoredMarket } from "../src/store/store.js";
import { startApi, type ApiServer } from "../src/web/server.js";
import {
  BTC_USDT,
  IS_SHORT,
  makeCandles,
  median,
  MINUTE_MS,
  never,
  printTable,
  requireGoal,
  storeCandles,
  withStore,
  YEAR_START_MS,
} from "./support.js";

const ROWS = 10_000;
const ROUNDS = IS_SHORT ? 3 : 15;
const SECONDS = IS_SHORT ? 2 : 10;
const CONNECTIONS = 64;
const CLIENTS = IS_SHORT ? 100 : 1_000;
const TRADES_A_SECOND = 50;
const COLLECTED_A_SECOND = 10_000;
const run = promisify(execFile);

/** The clients, in a thread of their own. */
const CLIENT_CODE = `
const { parentPort, workerData } = require("node:worker_threads");
const { WebSocket } = require("ws");
const lags = [];
const sockets = [];
let ready = 0;
const open = () => {
  const socket = new WebSocket(workerData.url + "/api/v1/stream", ["tickwell.v1"], { perMessageDeflate: false });
  sockets.push(socket);
  socket.on("error", (error) => { throw error; });
  socket.on("message", (data) => {
    const message = JSON.parse(data);
    if (message.type === "hello") socket.send('{"op":"subscribe","channel":"trades"}');
    if (message.type === "subscribed" && ++ready === workerData.clients) parentPort.postMessage("ready");
    else if (message.type === "subscribed" && sockets.length < workerData.clients) open();
    if (message.type === "trades") for (const { time } of message.data) lags.push(Date.now() - Date.parse(time));
  });
};
for (let i = 0; i < 20; i++) open();
parentPort.on("message", () => parentPort.postMessage(lags));
`;

await withStore(async (store) => {
  const [market] = await store.putMarkets("binance", [BTC_USDT], { isSimulated: true });
  if (!market) throw new Error("no market");
  await storeCandles(store, market.id, makeCandles(ROWS));
  const hub = new LiveHub();
  const server = await startApi({
    store,
    hub,
    version: "bench",
    log: silentLog,
    limits: { connectionsMax: 5_000 },
  });
  try {
    await compareWithPsql(store, server);
    await askAtOnce(server);
    await collectUnderLoad(store, server, market);
    await fanOut(server, hub, market);
  } finally {
    await server.close();
  }
});

function candlesUrl(server: ApiServer, more: string): string {
  const to = YEAR_START_MS + ROWS * MINUTE_MS;
  return `${server.url}/api/v1/candles?market=binance:BTC/USDT&timeframe=1m&from=${YEAR_START_MS}&to=${to}&${more}`;
}

/** In turn, so that the machine's moods meet all of them. psql pays for its process and its connection, as its users do. */
async function compareWithPsql(store: Store, server: ApiServer): Promise<void> {
  const columns =
    "open_time, open, high, low, close, volume, quote_volume, trade_count, source, revision, flags";
  const psql = async (command: string): Promise<number> => {
    const { stdout } = await run("psql", [store.connectionString, "-qAt", "-c", command], {
      maxBuffer: 100_000_000,
    });
    return stdout.trimEnd().split("\n").length;
  };
  const query = `SELECT ${columns} FROM ohlcv WHERE timeframe = '1m' ORDER BY open_time`;
  const fetched = async (more: string, rowsOf: (text: string) => number): Promise<number> =>
    rowsOf(await (await fetch(candlesUrl(server, more))).text());
  const lines = (text: string): number => text.trimEnd().split("\n").length;
  const contestants: [string, () => Promise<number>][] = [
    ["`psql`, CSV by COPY", () => psql(`COPY (${query}) TO STDOUT (FORMAT csv)`)],
    ["`psql`, JSON by `row_to_json`", () => psql(`SELECT row_to_json(c) FROM (${query}) c`)],
    ["HTTP, CSV", () => fetched("format=csv", (text) => lines(text) - 1)],
    ["HTTP, NDJSON", () => fetched("format=ndjson", lines)],
    [
      "HTTP, JSON, one page",
      () => fetched(`limit=${ROWS}`, (text) => (JSON.parse(text) as { data: unknown[] }).data.length),
    ],
  ];
  const times = new Map(contestants.map(([name]) => [name, [] as number[]]));
  for (let round = 0; round <= ROUNDS; round++)
    for (const [name, ask] of contestants) {
      const startedMs = performance.now();
      const rows = await ask();
      if (rows !== ROWS) throw new Error(`${name}: ${rows} rows, expected ${ROWS}`);
      // The first round warms up.
      if (round > 0) times.get(name)?.push(performance.now() - startedMs);
    }
  const msOf = (name: string): number => median(times.get(name) ?? []);
  const [csv = "", json = ""] = contestants.map(([name]) => name);
  printTable(
    `${ROWS.toLocaleString("en-US")} candles, median of ${ROUNDS}, in turn.`,
    ["way", "ms", "ratio to psql"],
    contestants.map(([name]) => [
      name,
      msOf(name).toFixed(1),
      (msOf(name) / msOf(name.includes("CSV") ? csv : json)).toFixed(2),
    ]),
  );
  requireGoal(msOf("HTTP, CSV") <= 1.5 * msOf(csv), "CSV over HTTP takes at most half as long again as psql");
  requireGoal(
    msOf("HTTP, JSON, one page") <= 1.5 * msOf(json),
    "JSON over HTTP, parsed, takes at most half as long again as psql's JSON, unparsed",
  );
}

async function askAtOnce(server: ApiServer): Promise<void> {
  const paths: [string, string][] = [
    ["100 candles", candlesUrl(server, "limit=100")],
    ["markets with summary", `${server.url}/api/v1/markets?include=summary`],
    ["status", `${server.url}/api/v1/status`],
    ["healthz", `${server.url}/healthz`],
  ];
  const rows: string[][] = [];
  for (const [name, url] of paths) {
    const result = await autocannon({ url, connections: CONNECTIONS, duration: SECONDS });
    if (result.non2xx + result.errors > 0)
      throw new Error(`${name}: ${result.non2xx + result.errors} failed`);
    rows.push([
      name,
      Math.round(result.requests.average).toLocaleString("en-US"),
      String(result.latency.p50),
      String(result.latency.p99),
    ]);
  }
  printTable(
    `${CONNECTIONS} connections for ${SECONDS} s each, client and server on one machine.`,
    ["asked for", "requests/s", "p50 ms", "p99 ms"],
    rows,
  );
}

/** The same trades a second into the stage, alone and with the clients beside it, in turn. */
async function collectUnderLoad(store: Store, server: ApiServer, market: StoredMarket): Promise<void> {
  const rates = { alone: [] as number[], loaded: [] as number[] };
  let firstId = 1;
  for (let round = 0; round < (IS_SHORT ? 1 : 3); round++)
    for (const kind of ["alone", "loaded"] as const) {
      // In a thread of its own: the clients' work is not the server's.
      const load =
        kind === "loaded"
          ? autocannon({
              url: candlesUrl(server, "limit=100"),
              connections: CONNECTIONS,
              duration: SECONDS,
              workers: 1,
            })
          : undefined;
      rates[kind].push(await collect(store, market, firstId));
      firstId += COLLECTED_A_SECOND * SECONDS;
      await load;
    }
  const alone = median(rates.alone);
  const loaded = median(rates.loaded);
  printTable(
    `${COLLECTED_A_SECOND.toLocaleString("en-US")} trades/s offered to stage, writer and store for ${SECONDS} s, median.`,
    ["beside it", "trades/s stored", "ratio"],
    [
      ["nothing", Math.round(alone).toLocaleString("en-US"), "1.00"],
      [
        `${CONNECTIONS} connections asking for 100 candles`,
        Math.round(loaded).toLocaleString("en-US"),
        (loaded / alone).toFixed(2),
      ],
    ],
  );
  requireGoal(loaded >= 0.95 * alone, "collecting slows by no more than a twentieth");
}

/** @returns trades stored a second, from the first that was offered to the last that was committed */
async function collect(store: Store, { id }: StoredMarket, firstId: number): Promise<number> {
  const pipeline = new Pipeline({ store, clock: systemClock, log: silentLog, stageRowsMax: 40_000 });
  const startedMs = performance.now();
  const steps = SECONDS * 10;
  const rows = COLLECTED_A_SECOND / 10;
  for (let step = 0; step < steps; step++) {
    const waitMs = startedMs + step * 100 - performance.now();
    if (waitMs > 0) await systemClock.sleep(waitMs);
    const timeMs = systemClock.nowMs();
    await pipeline.stage.append(
      {
        kind: "trades",
        marketId: id,
        evidence: "ws_sequence",
        trades: Array.from({ length: rows }, (_, i) => makeTrade(firstId + step * rows + i, timeMs)),
        runs: [],
        voids: [],
        missing: [],
        rejected: [],
        tally: NO_TALLY,
        receivedMs: timeMs,
      },
      never,
    );
  }
  await pipeline.close();
  return (steps * rows * 1_000) / (performance.now() - startedMs);
}

function makeTrade(id: number, timeMs: number): Trade {
  return {
    kind: "trade",
    id,
    firstFillId: id,
    lastFillId: id,
    timeMs,
    microsecond: 0,
    price: decimal("46319.5"),
    qty: decimal("0.01634"),
    side: "buy",
  };
}

function decimal(text: string): Decimal {
  const value = parseDecimal(text);
  if (value === undefined) throw new Error(`"${text}" is no decimal`);
  return value;
}

/** Trades enter the hub as streams hand them on; the clients live in a thread of their own, with the same clock. */
async function fanOut(server: ApiServer, hub: LiveHub, market: StoredMarket): Promise<void> {
  const clients = new Worker(CLIENT_CODE, {
    eval: true,
    workerData: { url: server.url.replace("http", "ws"), clients: CLIENTS },
  });
  const heard = new Promise<number[]>((resolve, reject) => {
    clients.on("error", reject);
    clients.on("message", (message: "ready" | number[]) => {
      if (message !== "ready") resolve(message);
      else void send();
    });
  });
  const send = async (): Promise<void> => {
    for (let id = 1; id <= TRADES_A_SECOND * SECONDS; id++) {
      // Its time is when it entered, by which the clients reckon.
      const timeMs = systemClock.nowMs();
      hub.trade(market, makeTrade(id, timeMs));
      await systemClock.sleep(1_000 / TRADES_A_SECOND);
    }
    await systemClock.sleep(1_000);
    clients.postMessage("enough");
  };
  const lags = (await heard).sort((a, b) => a - b);
  await clients.terminate();
  const expected = CLIENTS * TRADES_A_SECOND * SECONDS;
  const at = (share: number): string => String(lags[Math.floor((lags.length - 1) * share)] ?? NaN);
  printTable(
    `${CLIENTS.toLocaleString("en-US")} clients of the stream, ${TRADES_A_SECOND} trades/s to each, for ${SECONDS} s; from the hub to the client's handler.`,
    ["delivered", "messages/s", "p50 ms", "p99 ms", "max ms"],
    [
      [
        `${((lags.length / expected) * 100).toFixed(2)} %`,
        Math.round(lags.length / SECONDS).toLocaleString("en-US"),
        at(0.5),
        at(0.99),
        at(1),
      ],
    ],
  );
  requireGoal(lags.length >= expected * 0.99, "nearly every trade reaches every client");
}
