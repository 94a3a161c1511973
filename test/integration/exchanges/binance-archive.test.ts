// The archive's client against a server on loopback that serves files as data.binance.vision does.
import { createHash } from "node:crypto";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { zipSync } from "fflate";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CandleArchive } from "../../../src/exchanges/archive.js";
import { createArchive } from "../../../src/exchanges/archive-registry.js";
import { DAY_START_MS, minuteMs } from "../../support/candles.js";

const PATH = "/data/spot/daily/klines/BTCUSDT/1m/BTCUSDT-1m-2024-01-01.zip";
const HEADER =
  "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore";
const signal = new AbortController().signal;

let server: Server;
let url: string;
let archive: CandleArchive | undefined;
/** What is served by path: bytes, or statuses given one after the other before the bytes. */
let files: Map<string, Buffer>;
let statuses: Map<string, number[]>;
let asked: string[];
let retryAfter: string;

beforeEach(async () => {
  files = new Map();
  statuses = new Map();
  asked = [];
  sleeps = [];
  server = createServer((request, response) => {
    const path = request.url ?? "";
    asked.push(path);
    const bytes = files.get(path);
    const status = statuses.get(path)?.shift() ?? (bytes ? 200 : 404);
    const headers = status === 429 ? { "retry-after": retryAfter } : {};
    response
      .writeHead(status, { "content-type": "application/zip", ...headers })
      .end(status === 200 ? bytes : "");
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterEach(async () => {
  await archive?.close();
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
});

let sleeps: number[] = [];
function open(exchange = "binance"): CandleArchive {
  archive = createArchive(exchange, {
    baseUrl: url,
    timeoutMs: 5_000,
    retry: { attempts: 3, baseDelayMs: 1, maxDelayMs: 1 },
    clock: { nowMs: () => DAY_START_MS, sleep: async (ms) => void sleeps.push(ms) },
    random: { next: () => 0.5 },
  });
  if (!archive) throw new Error(`${exchange} has no archive`);
  return archive;
}

const fetchDay = (from = open()) =>
  from.fetchDay({ nativeSymbol: "BTCUSDT", timeframe: "1m", dayMs: DAY_START_MS }, signal);

const line = (minute: number, factor = 1): string =>
  `${minuteMs(minute) * factor},1.10,1.30,1.00,1.20,5.50,${minuteMs(minute + 1) * factor - 1},6.60000000,7,2.0,2.4,0`;

function serve(lines: readonly string[], path = PATH): Buffer {
  const bytes = Buffer.from(zipSync({ "BTCUSDT-1m-2024-01-01.csv": Buffer.from(lines.join("\n")) }));
  files.set(path, bytes);
  files.set(
    `${path}.CHECKSUM`,
    Buffer.from(`${createHash("sha256").update(bytes).digest("hex")}  BTCUSDT-1m-2024-01-01.zip\n`),
  );
  return bytes;
}

const wanted = (minute: number, raw: string) => ({
  openTimeMs: minuteMs(minute),
  open: "1.10",
  high: "1.30",
  low: "1.00",
  close: "1.20",
  volume: "5.50",
  quoteVolume: "6.60000000",
  tradeCount: 7,
  raw,
});

describe("BinanceArchive", () => {
  it.each([
    ["milliseconds", [], 1],
    ["microseconds", [], 1_000],
    ["a header", [HEADER], 1],
  ])("reads a day's rows with %s", async (_what, header, factor) => {
    const bytes = serve([...header, line(0, factor), line(1, factor), ""]);
    expect(await fetchDay()).toEqual({
      candidates: [wanted(0, line(0, factor)), wanted(1, line(1, factor))],
      url: url + PATH,
      sha256: createHash("sha256").update(bytes).digest("hex"),
    });
  });

  it("asks for futures in their own folder", async () => {
    serve([line(0)], PATH.replace("spot", "futures/um"));
    expect((await fetchDay(open("binanceusdm")))?.candidates).toHaveLength(1);
    expect(createArchive("okx")).toBeUndefined();
  });

  it("takes a file that is not there, or has no checksum yet, for not published", async () => {
    expect(await fetchDay()).toBeUndefined();
    expect(asked).toEqual([PATH]);
    serve([line(0)]);
    files.delete(`${PATH}.CHECKSUM`);
    expect(await fetchDay()).toBeUndefined();
  });

  it("asks again for a file that does not match its checksum, and then says so", async () => {
    serve([line(0)]);
    files.set(`${PATH}.CHECKSUM`, Buffer.from(`${"0".repeat(64)}  x.zip\n`));
    await expect(fetchDay()).rejects.toMatchObject({
      fault: { kind: "malformed_payload" },
      message: expect.stringContaining(`published is ${"0".repeat(64)}`) as string,
    });
    expect(asked.filter((path) => path === PATH)).toHaveLength(3);
  });

  it("outlasts a server in trouble", async () => {
    serve([line(0)]);
    statuses.set(PATH, [503, 500]);
    expect((await fetchDay())?.candidates).toHaveLength(1);
  });

  it.each([
    ["30", 30_000],
    ["Mon, 01 Jan 2024 00:01:00 GMT", 60_000],
    ["99999999999", 3_600_000],
  ])("waits as long as it is told, an hour at most: %s", async (told, waitedMs) => {
    serve([line(0)]);
    statuses.set(PATH, [429]);
    retryAfter = told;
    expect((await fetchDay())?.candidates).toHaveLength(1);
    // The jitter of this retry is the last millisecond.
    expect(sleeps).toEqual([waitedMs + 1]);
  });

  it("gives up at once where asking again does not help", async () => {
    statuses.set(PATH, [403]);
    await expect(fetchDay()).rejects.toMatchObject({ fault: { kind: "bad_request", code: "403" } });
    expect(asked).toEqual([PATH]);
  });

  it("refuses a row that it cannot read", async () => {
    serve([line(0), "1704067260000,1,2"]);
    await expect(fetchDay()).rejects.toThrow('row 2 is "1704067260000,1,2"');
  });
});
