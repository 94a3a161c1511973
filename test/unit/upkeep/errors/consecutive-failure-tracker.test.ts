import { beforeEach, describe, expect, it } from "vitest";
import {
  ConsecutiveFailureTracker,
  type FailureChange,
} from "../../../../src/upkeep/errors/consecutive-failure-tracker.js";
import { failure, success, T0 } from "./failures.js";

let changes: FailureChange[];
let tracker: ConsecutiveFailureTracker;
const trackerOf = (options: { threshold: number; keysMax?: number }) =>
  new ConsecutiveFailureTracker({ ...options, onChange: (change) => changes.push(change) });

beforeEach(() => {
  changes = [];
  tracker = trackerOf({ threshold: 3 });
});

const told = () => changes.map(({ status, key }) => `${status} ${key}`);
const TROUBLE = "trouble binance /api/v3/klines BTCUSDT";
const RECOVERED = "recovered binance /api/v3/klines BTCUSDT";

describe("ConsecutiveFailureTracker", () => {
  it("tells a trouble once, at the threshold, and the recovery once, at the first success", () => {
    tracker.failed(failure({ atMs: T0 }));
    tracker.failed(failure({ atMs: T0 + 1_000 }));
    expect(changes).toEqual([]);
    tracker.failed(failure({ atMs: T0 + 2_000 }));
    tracker.failed(failure({ atMs: T0 + 3_000 }));
    tracker.failed(failure({ atMs: T0 + 4_000 }));
    tracker.succeeded(success({ atMs: T0 + 5_000 }));
    tracker.succeeded(success({ atMs: T0 + 6_000 }));
    const subject = {
      key: "binance /api/v3/klines BTCUSDT",
      exchange: "binance",
      endpoint: "/api/v3/klines",
      nativeSymbol: "BTCUSDT",
      sinceMs: T0,
      last: {
        fault: { kind: "exchange", code: "HTTP 503" },
        message: "binance /api/v3/klines BTCUSDT: HTTP 503",
      },
    };
    expect(changes).toEqual([
      { ...subject, status: "trouble", failures: 3, atMs: T0 + 2_000 },
      { ...subject, status: "recovered", failures: 5, atMs: T0 + 5_000 },
    ]);
  });

  it("begins to count again after a success", () => {
    for (let i = 0; i < 2; i++) tracker.failed(failure());
    tracker.succeeded(success());
    for (let i = 0; i < 2; i++) tracker.failed(failure());
    expect(changes).toEqual([]);
    tracker.failed(failure());
    expect(told()).toEqual([TROUBLE]);
  });

  it("counts exchanges, endpoints and markets apart", () => {
    tracker.failed(failure());
    tracker.failed(failure({ exchange: "okx" }));
    tracker.failed(failure({ endpoint: "/api/v3/aggTrades" }));
    tracker.failed(failure({ nativeSymbol: "ETHUSDT" }));
    tracker.failed(failure({ nativeSymbol: undefined }));
    tracker.failed(failure());
    expect(changes).toEqual([]);
    tracker.succeeded(success({ nativeSymbol: "ETHUSDT" }));
    tracker.failed(failure());
    expect(told()).toEqual([TROUBLE]);
  });

  it("does not count attempts that are followed by another one", () => {
    for (let i = 0; i < 9; i++) tracker.failed(failure({ willRetryInMs: 0 }));
    expect(changes).toEqual([]);
  });

  it("neither counts a rate limit nor lets it end a row", () => {
    const limited = failure({ fault: { kind: "rate_limit", retryAfterMs: undefined } });
    for (let i = 0; i < 9; i++) tracker.failed(limited);
    for (let i = 0; i < 2; i++) tracker.failed(failure());
    tracker.failed(limited);
    expect(changes).toEqual([]);
    tracker.failed(failure());
    expect(told()).toEqual([TROUBLE]);
  });

  it("takes a market the exchange does not know for a trouble at once", () => {
    tracker.failed(failure({ fault: { kind: "bad_symbol", code: "-1121" } }));
    tracker.failed(failure({ fault: { kind: "bad_symbol", code: "-1121" } }));
    tracker.succeeded(success());
    expect(told()).toEqual([TROUBLE, RECOVERED]);
  });

  it("waits for the threshold when a bad symbol is of no market", () => {
    tracker.failed(failure({ fault: { kind: "bad_symbol", code: "-1121" }, nativeSymbol: undefined }));
    expect(changes).toEqual([]);
  });

  it("tells the end of a trouble of an earlier run, and not its beginning", () => {
    for (let i = 0; i < 3; i++) tracker.failed(failure());
    const next = trackerOf({ threshold: 3 });
    for (const key of tracker.troubles) next.restore(key);
    for (let i = 0; i < 9; i++) next.failed(failure());
    next.succeeded(success());
    next.succeeded(success());
    expect(told()).toEqual([TROUBLE, RECOVERED]);
    expect(changes[1]?.failures).toBeUndefined();
  });

  it("forgets the row that failed longest ago when there are too many, and no trouble", () => {
    tracker = trackerOf({ threshold: 2, keysMax: 2 });
    const of = (nativeSymbol: string) => failure({ nativeSymbol });
    tracker.failed(of("A"));
    tracker.failed(of("A"));
    tracker.failed(of("B"));
    tracker.failed(of("C"));
    expect(told()).toEqual(["trouble binance /api/v3/klines A"]);
    tracker.failed(of("C"));
    tracker.failed(of("B"));
    tracker.succeeded(success({ nativeSymbol: "A" }));
    expect(told()).toEqual([
      "trouble binance /api/v3/klines A",
      "trouble binance /api/v3/klines C",
      "recovered binance /api/v3/klines A",
    ]);
  });
});
