// Failed requests on their way into a real database, and the summary that is read back.
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { silentLog } from "../../../src/core/log.js";
import type { RequestFailure } from "../../../src/exchanges/exchange.js";
import type { Store } from "../../../src/store/store.js";
import { ApiErrorLogger } from "../../../src/upkeep/errors/api-error-logger.js";
import { BTC_USDT } from "../../support/candles.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";
import { ManualClock } from "../../unit/core/net/manual-clock.js";
import { failure, T0 } from "../../unit/upkeep/errors/failures.js";

const never = new AbortController().signal;
let database: TestDatabase;
let store: Store;

beforeAll(async () => {
  database = await createTestDatabase();
  store = await database.openStore();
  await store.putMarkets("binance", [BTC_USDT], { isSimulated: true });
});
beforeEach(() => database.sql("TRUNCATE api_error_logs"));
afterAll(() => database.drop());

async function write(...failures: RequestFailure[]): Promise<void> {
  const logger = new ApiErrorLogger({ store, clock: new ManualClock(T0), log: silentLog });
  for (const each of failures) logger.log(each);
  await logger.flush(never);
  await logger.close();
}

describe("ApiErrorLogger on a database", () => {
  it("keeps a failed request in the columns of the contract, without secrets", async () => {
    await write(
      failure({
        params: { symbol: "BTCUSDT", signature: "abcdef" },
        fault: { kind: "bad_symbol", code: "-1121" },
        message: 'binance /api/v3/klines BTCUSDT: HTTP 400, code -1121, "Invalid symbol."',
        attempt: 2,
      }),
    );
    const rows = await database.sql(
      `SELECT timestamp, exchange_name, endpoint, error_type, error_code, error_message, request_params, attempt, native_symbol, suppressed
       FROM api_error_logs`,
    );
    expect(rows).toEqual([
      {
        timestamp: new Date(T0),
        exchange_name: "binance",
        endpoint: "/api/v3/klines",
        error_type: "bad_symbol",
        error_code: "-1121",
        error_message: 'binance /api/v3/klines BTCUSDT: HTTP 400, code -1121, "Invalid symbol."',
        request_params: { symbol: "BTCUSDT", signature: "***" },
        attempt: 2,
        native_symbol: "BTCUSDT",
        suppressed: "0",
      },
    ]);
  });

  it("keeps what a broken server sends, also what PostgreSQL cannot hold", async () => {
    await write(failure({ message: "a\u0000b\ud800", params: { "q\u0000": "x\u0000\udc00" } }));
    const rows = await database.sql("SELECT error_message, request_params FROM api_error_logs");
    expect(rows).toEqual([
      { error_message: "a\ufffdb\ufffd", request_params: { "q\ufffd": "x\ufffd\ufffd" } },
    ]);
  });
});

describe("store.errors.summarize", () => {
  it("counts by exchange, endpoint and class, and shows the last message and the markets", async () => {
    await write(
      failure({ atMs: T0 + 1_000, message: "older" }),
      failure({
        atMs: T0 + 2_000,
        message: "newest",
        nativeSymbol: "ABCUSDT",
        fault: { kind: "exchange", code: undefined },
      }),
      failure({ atMs: T0 + 1_500, message: "HTTP 429", fault: { kind: "rate_limit", retryAfterMs: 1 } }),
      failure({ atMs: T0 + 1_700, exchange: "okx", endpoint: "/t", nativeSymbol: undefined, message: "m" }),
      failure({ atMs: T0 - 1, message: "before" }),
    );
    expect(await store.errors.summarize({ sinceMs: T0 })).toEqual([
      {
        exchange: "binance",
        endpoint: "/api/v3/klines",
        kind: "exchange",
        count: 2,
        lastMs: T0 + 2_000,
        lastMessage: "newest",
        code: "HTTP 503",
        symbols: ["ABCUSDT", "BTC/USDT"],
      },
      {
        exchange: "okx",
        endpoint: "/t",
        kind: "exchange",
        count: 1,
        lastMs: T0 + 1_700,
        lastMessage: "m",
        code: "HTTP 503",
        symbols: [],
      },
      {
        exchange: "binance",
        endpoint: "/api/v3/klines",
        kind: "rate_limit",
        count: 1,
        lastMs: T0 + 1_500,
        lastMessage: "HTTP 429",
        code: "HTTP 429",
        symbols: ["BTC/USDT"],
      },
    ]);
  });

  it("counts failures that were not written one by one", async () => {
    const logger = new ApiErrorLogger({ store, clock: new ManualClock(T0), log: silentLog, queueMax: 10 });
    for (let i = 0; i < 25; i++) logger.log(failure({ message: "real words" }));
    await logger.flush(never);
    await logger.close();
    const [{ rows } = { rows: 0 }] = await database.sql<{ rows: number }>(
      "SELECT count(*)::int AS rows FROM api_error_logs",
    );
    expect(rows).toBe(11);
    const [summary] = await store.errors.summarize({ sinceMs: T0 });
    expect([summary?.count, summary?.lastMessage]).toEqual([25, "real words"]);
  });
});
