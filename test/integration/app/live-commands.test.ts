// What the commands say of trades and order books, and of what following them takes.
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { gunzipSync } from "node:zlib";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../../src/core/clock.js";
import { NO_TALLY } from "../../../src/core/model/live-tally.js";
import type { Trade } from "../../../src/core/model/trade.js";
import { startSimulatedExchange, type SimulatedExchange } from "../../../simulator/simulated-exchange.js";
import { BTC_USDT, decimal } from "../../support/candles.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";
import { hasRedis, startRedis } from "../../support/redis-server.js";
import { runCommand, type CommandResult } from "../../support/run-command.js";

const T0 = Date.UTC(2024, 0, 10, 12);
const MARKET = "binance:BTC/USDT";
let database: TestDatabase;
let folder: string;

function trade(id: number, ms: number, microsecond = 0): Trade {
  return {
    kind: "trade",
    id,
    firstFillId: id,
    lastFillId: id,
    timeMs: T0 + ms,
    microsecond,
    price: decimal("100.50"),
    qty: decimal("0.25"),
    side: id % 2 === 0 ? "buy" : "sell",
  };
}

beforeAll(async () => {
  database = await createTestDatabase();
  const store = await database.openStore();
  const [market] = await store.putMarkets("binance", [BTC_USDT], { isSimulated: true });
  const marketId = market?.id ?? 0;
  const common = { marketId, rejected: [], tally: { ...NO_TALLY, received: 3 }, receivedMs: T0 + 9_000 };
  const run = (startMs: number, endMs: number, firstId: number, lastId: number) => ({
    startMs: T0 + startMs,
    endMs: T0 + endMs,
    firstId,
    lastId,
  });
  const book = (ms: number, sequence: number) => ({
    kind: "book_snapshot" as const,
    timeMs: T0 + ms,
    sequence,
    bids: [[decimal("100.5"), decimal("1")] as const, [decimal("100"), decimal("2")] as const],
    asks: [[decimal("101"), decimal("3")] as const],
  });
  await store.commit([
    {
      ...common,
      kind: "trades",
      evidence: "ws_sequence",
      trades: [trade(1, 0, 123), trade(2, 500), trade(7, 3_000)],
      runs: [run(0, 1_000, 1, 2), run(3_000, 4_000, 7, 7)],
      voids: [],
      missing: [],
    },
    {
      ...common,
      kind: "book",
      snapshots: [book(0, 10), book(5_000, 20)],
      deltas: [],
      valid: [
        { startMs: T0, endMs: T0 + 2_000 },
        { startMs: T0 + 5_000, endMs: T0 + 6_000 },
      ],
      outages: [
        {
          startMs: T0 + 2_000,
          endMs: T0 + 5_000,
          reason: "sequence_break",
          detail: "U=9 does not continue u=7",
        },
      ],
    },
  ]);
});
afterAll(() => database.drop());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tickwell-live-"));
  await configure();
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function configure(instance: object = {}, collector?: object): Promise<void> {
  await mkdir(join(folder, "configs/collector"), { recursive: true });
  await writeFile(
    join(folder, "configs/tickwell.yml"),
    JSON.stringify({ storage: { url: database.url }, ...instance }),
  );
  if (collector) await writeFile(join(folder, "configs/collector/one.yml"), JSON.stringify(collector));
}

const run = (...argv: readonly string[]): Promise<CommandResult> =>
  runCommand([...argv, "-c", join(folder, "configs"), "--data-dir", join(folder, "data")]);

describe("gaps", () => {
  it("lists missing trades by their ids, and times without a book by their reason", async () => {
    const { stdout, status } = await run("gaps", "--market", MARKET);
    expect(status).toBe(0);
    expect(stdout).toMatch(
      /Trades: known to be missing[^]*binance:BTC\/USDT +2024-01-10 12:00:01 +2024-01-10 12:00:03 +3 to 6/,
    );
    expect(stdout).toMatch(
      /Order books: [^]*2024-01-10 12:00:02 +2024-01-10 12:00:05 +sequence_break: U=9 does not continue u=7/,
    );
  });

  it("lists only trades or only books where that is asked for", async () => {
    const trades = await run("gaps", "--timeframe", "trades");
    expect([trades.status, trades.stderr]).toEqual([0, ""]);
    expect(trades.stdout).toMatch(/^Trades: known to be missing/);
    expect(trades.stdout).not.toContain("book");
    const book = await run("gaps", "--timeframe", "book", "--json");
    expect(JSON.parse(book.stdout)).toMatchObject({
      gaps: [],
      series: [],
      live: [{ market: MARKET, data_type: "orderbook" }],
    });
  });

  it("gives the same as JSON, and nothing of it where a timeframe is asked for", async () => {
    const { live } = JSON.parse((await run("gaps", "--json")).stdout) as { live: readonly object[] };
    expect(live).toEqual([
      expect.objectContaining({
        market: MARKET,
        data_type: "trades",
        expected_seconds: 4,
        covered_seconds: 2,
        missing_ids: 4,
        gaps: [{ start: "2024-01-10T12:00:01Z", end: "2024-01-10T12:00:03Z", after_id: 2, before_id: 7 }],
      }),
      expect.objectContaining({
        market: MARKET,
        data_type: "orderbook",
        expected_seconds: 6,
        covered_seconds: 3,
      }),
    ]);
    const { live: none } = JSON.parse((await run("gaps", "--timeframe", "1m", "--json")).stdout) as {
      live: unknown;
    };
    expect(none).toEqual([]);
  });
});

it("status shows how much of trades and books is proven", async () => {
  const { stdout } = await run("status");
  expect(stdout).toMatch(/binance:BTC\/USDT +trades +4 s +3 +4 +50/);
  expect(stdout).toMatch(/binance:BTC\/USDT +book +6 s +2 +3 s +50/);
});

describe("export", () => {
  it("writes trades digit for digit, with the microseconds, and says what is missing", async () => {
    const { stdout, stderr, status } = await run("export", MARKET, "trades");
    expect(status).toBe(0);
    expect(stdout).toBe(
      "time,trade_id,side,price,quantity,fills\n" +
        "2024-01-10T12:00:00.000123Z,1,sell,100.50,0.25,1\n".replace("100.50", "100.5") +
        "2024-01-10T12:00:00.500Z,2,buy,100.5,0.25,1\n" +
        "2024-01-10T12:00:03Z,7,sell,100.5,0.25,1\n",
    );
    expect(stderr).toContain("3 records. Not in it: 1 gap of 2 s in all");
  });

  it("writes order books to a packed file, as NDJSON", async () => {
    const out = join(folder, "book.ndjson.gz");
    const { stdout, stderr } = await run(
      "export",
      MARKET,
      "book",
      "--since",
      "2024-01-10",
      "--out",
      out,
      "--json",
    );
    expect(JSON.parse(stdout)).toMatchObject({ data_type: "orderbook", records: 2, format: "ndjson" });
    expect(stderr).toContain("3 s without a valid book, in 1 piece");
    const lines = gunzipSync(await readFile(out))
      .toString()
      .trim()
      .split("\n");
    expect(JSON.parse(lines[0] ?? "")).toEqual({
      time: "2024-01-10T12:00:00Z",
      sequence: 10,
      bids: [
        ["100.5", "1"],
        ["100", "2"],
      ],
      asks: [["101", "3"]],
    });
  });

  it("refuses what is not stored, with a word about what is", async () => {
    const { status, stderr } = await run("export", "binance:ETH/USDT", "trades");
    expect(status).toBe(2);
    expect(stderr).toContain("BTC/USDT");
  });
});

describe.each(["binance", "binanceusdm", "okx"] as const)("backfill of trades, %s", (venue) => {
  it("brings in every trade of the range once, proven by the ids, and nothing the second time", async () => {
    const simulated = await startSimulatedExchange({ seed: 3, clock: systemClock });
    const own = await createTestDatabase();
    try {
      const symbol = venue === "binance" ? "ETH/USDT" : "ETH/USDT:USDT";
      await configure(
        { storage: { url: own.url } },
        { exchange: { name: venue, rest_url: simulated.url }, symbols: [{ symbol }] },
      );
      const toMs = Math.floor(systemClock.nowMs() / 60_000 - 60) * 60_000;
      const fromMs = toMs - 45 * 60_000;
      const again = (): Promise<CommandResult> =>
        run(
          "backfill",
          `${venue}:${symbol}`,
          "trades",
          "--since",
          String(fromMs),
          "--until",
          String(toMs),
          "--json",
        );
      const first = await again();
      expect(first).toMatchObject({ status: 0 });
      const truth = simulated.venue(venue).truth;
      const happened =
        venue === "okx" ? truth.trades(symbol, fromMs, toMs) : truth.aggregateTrades(symbol, fromMs, toMs);
      expect(JSON.parse(first.stdout)).toMatchObject({ fetched_trades: happened.length, gaps: 0 });
      const stored = await own.sql<{ id: string; price: string }>(
        "SELECT trade_id::text AS id, price::text FROM trades ORDER BY trade_id",
      );
      expect(stored).toEqual(happened.map(({ id, price }) => ({ id: String(id), price })));
      expect(happened.length).toBeGreaterThan(100);
      expect(JSON.parse((await again()).stdout)).toMatchObject({ fetched_trades: 0, gaps: 0 });
    } finally {
      await own.drop();
      await simulated.close();
    }
  });
});

describe("trades that are counted in another way than those stored", () => {
  it("are refused with a word about what to do, and nothing is asked or changed", async () => {
    const simulated = await startSimulatedExchange({ seed: 3, clock: systemClock });
    const own = await createTestDatabase();
    try {
      const backfill = async (trades: string | undefined): Promise<CommandResult> => {
        await configure(
          { storage: { url: own.url } },
          {
            exchange: { name: "binance", rest_url: simulated.url, trades },
            symbols: [{ symbol: "ETH/USDT" }],
          },
        );
        const sinceMs = Math.floor(systemClock.nowMs() / 60_000 - 70) * 60_000;
        const range = ["--since", String(sinceMs), "--until", String(sinceMs + 300_000)];
        return run("backfill", "binance:ETH/USDT", "trades", ...range);
      };
      expect(await backfill("raw")).toMatchObject({ status: 0 });
      const count = "SELECT count(*)::int AS n, bool_and(fills = 1) AS raw FROM trades";
      const before = await own.sql<{ n: number; raw: boolean }>(count);
      expect(before[0]).toMatchObject({ raw: true });
      expect(before[0]?.n).toBeGreaterThan(10);
      const refused = await backfill(undefined);
      expect(refused.status).toBe(2);
      expect(refused.stderr).toMatch(/raw trades are stored.*exchange\.trades: raw/);
      expect(await own.sql(count)).toEqual(before);
    } finally {
      await own.drop();
      await simulated.close();
    }
  });
});

describe("doctor", () => {
  let exchange: SimulatedExchange;
  beforeAll(async () => {
    exchange = await startSimulatedExchange({ seed: 1, clock: systemClock });
  });
  afterAll(() => exchange.close());
  const collector = (symbols: readonly string[]): object => ({
    exchange: { name: "okx", rest_url: exchange.url, ws_url: exchange.url.replace("http", "ws") },
    symbols: symbols.map((symbol) => ({
      symbol,
      timeframes: ["1m", "5m"],
      channels: ["candles", "trades", "book"],
    })),
  });

  it("shows how the streams of a collector are spread over connections, and within which limits", async () => {
    await configure({}, collector(["BTC/USDT", "ETH/USDT"]));
    const { findings } = JSON.parse((await run("doctor", "--json")).stdout) as {
      findings: readonly { check: string; state: string; found: string }[];
    };
    const plan = findings.find(({ check }) => check === "one streams");
    expect(plan).toMatchObject({ state: "ok" });
    // Candles and all trades are on the business host's path, books on the public one.
    expect(plan?.found).toMatch(
      /^2 connections: \/ws\/v5\/business with 6 of at most \d+ streams; \/ws\/v5\/public with 2 of/,
    );
  });

  it("says that a collector follows no streams where only its REST host is another one", async () => {
    const exchangeOf = { name: "okx", rest_url: exchange.url };
    await configure({}, { exchange: exchangeOf, symbols: [{ symbol: "BTC/USDT" }] });
    const { findings } = JSON.parse((await run("doctor", "--json")).stdout) as {
      findings: readonly { check: string; state: string; found: string }[];
    };
    expect(findings.find(({ check }) => check === "one streams")).toEqual({
      check: "one streams",
      state: "ok",
      found: "off: exchange.rest_url names another host, and exchange.ws_url none",
    });
  });

  it.runIf(hasRedis)(
    "looks at Redis, and says what to do when it does not answer (needs redis-server)",
    async () => {
      const redis = await startRedis();
      try {
        await configure({ stage: { kind: "redis", url: redis.url } }, collector(["BTC/USDT"]));
        const ask = async () =>
          (
            JSON.parse((await run("doctor", "--json")).stdout) as {
              findings: readonly { check: string; state: string; found: string; remedy?: string }[];
            }
          ).findings.find(({ check }) => check === "Redis");
        expect(await ask()).toMatchObject({
          state: "ok",
          found: expect.stringMatching(/^version 7\.[^]*noeviction[^]*outlives it/) as string,
        });
        await redis.kill();
        expect(await ask()).toMatchObject({
          state: "failed",
          remedy: expect.stringContaining("stage.url") as string,
        });
      } finally {
        await redis.remove();
      }
    },
  );
});
