import { beforeEach, describe, expect, it } from "vitest";
import { TickwellError } from "../../../../src/core/fault.js";
import { silentLog } from "../../../../src/core/log.js";
import type { ErrorRecord, ErrorRecords } from "../../../../src/store/error-records.js";
import {
  ApiErrorLogger,
  type ApiErrorLoggerOptions,
} from "../../../../src/upkeep/errors/api-error-logger.js";
import { ManualClock, settle } from "../../core/net/manual-clock.js";
import { failure, T0 } from "./failures.js";

const never = new AbortController().signal;
const away = new TickwellError({ kind: "database", code: undefined, isTransient: true }, "away");
const refused = new TickwellError({ kind: "database", code: "23514", isTransient: false }, "refused");

let clock: ManualClock;
let batches: (readonly ErrorRecord[])[];
let trouble: TickwellError | undefined;
const errors: ErrorRecords = {
  async add(records) {
    if (trouble) throw trouble;
    batches.push(records);
  },
  summarize: async () => [],
};
const loggerOf = (options: Partial<ApiErrorLoggerOptions> = {}) =>
  new ApiErrorLogger({
    store: { errors },
    clock,
    log: silentLog,
    queueMax: 5,
    batchRowsMax: 3,
    batchAgeMs: 1_000,
    ...options,
  });
const sizes = () => batches.map((batch) => batch.length);

beforeEach(() => {
  clock = new ManualClock(T0);
  batches = [];
  trouble = undefined;
});

describe("ApiErrorLogger", () => {
  it("writes when the first failure has waited long enough, and not before", async () => {
    const logger = loggerOf();
    logger.log(failure());
    logger.log(failure({ attempt: 2 }));
    await settle();
    await clock.advance(999);
    expect(sizes()).toEqual([]);
    await clock.advance(1);
    expect(batches.map((batch) => batch.map((record) => record.attempt))).toEqual([[1, 2]]);
  });

  it("writes at once when a batch is full", async () => {
    const logger = loggerOf();
    logger.log(failure());
    await settle();
    for (let i = 0; i < 2; i++) logger.log(failure());
    await settle();
    expect(sizes()).toEqual([3]);
  });

  it("keeps failures while the database is away, up to its bound, and counts the rest by class", async () => {
    trouble = away;
    const logger = loggerOf();
    for (let i = 0; i < 5; i++) logger.log(failure({ attempt: i + 1 }));
    for (let i = 0; i < 7; i++) logger.log(failure({ atMs: T0 + i }));
    logger.log(failure({ fault: { kind: "network" } }));
    await clock.advance(1_000);
    expect(logger.waiting).toBe(13);
    trouble = undefined;
    await clock.advance(60_000);
    await clock.advance(60_000);
    expect(
      batches
        .flat()
        .filter((record) => record.suppressed === 0)
        .map((record) => record.attempt),
    ).toEqual([1, 2, 3, 4, 5]);
    expect(
      batches
        .flat()
        .filter((record) => record.suppressed > 0)
        .map(({ endpoint, kind, atMs, suppressed, message }) => [endpoint, kind, atMs, suppressed, message]),
    ).toEqual([
      [
        "/api/v3/klines",
        "exchange",
        T0 + 6,
        7,
        "7 more came faster than they could be written; the last one: binance /api/v3/klines BTCUSDT: HTTP 503",
      ],
      [
        "/api/v3/klines",
        "network",
        T0,
        1,
        "1 more came faster than they could be written; the last one: binance /api/v3/klines BTCUSDT: HTTP 503",
      ],
    ]);
    expect(logger.waiting).toBe(0);
  });

  it("leaves out rows the database refuses for good, instead of holding up all others", async () => {
    trouble = refused;
    const logger = loggerOf();
    for (let i = 0; i < 3; i++) logger.log(failure());
    await clock.advance(1_000);
    trouble = undefined;
    logger.log(failure({ attempt: 9 }));
    await settle();
    await clock.advance(1_000);
    expect(batches.flat().map((record) => record.attempt)).toEqual([9]);
  });

  it("flush writes everything without waiting", async () => {
    const logger = loggerOf();
    for (let i = 0; i < 5; i++) logger.log(failure());
    await logger.flush(never);
    expect(sizes()).toEqual([3, 2]);
  });

  it("flush rejects with the signal's reason while the database is away, and loses nothing", async () => {
    trouble = away;
    const logger = loggerOf();
    logger.log(failure());
    const abort = new AbortController();
    const flushed = logger.flush(abort.signal);
    flushed.catch(() => undefined);
    await settle();
    const reason = new Error("too late");
    abort.abort(reason);
    await expect(flushed).rejects.toBe(reason);
    trouble = undefined;
    await logger.close();
    expect(sizes()).toEqual([1]);
  });

  it("close tries once, ends although the database is away, and takes nothing after it", async () => {
    trouble = away;
    const logger = loggerOf();
    logger.log(failure());
    await logger.close();
    logger.log(failure());
    expect(logger.waiting).toBe(1);
    expect(clock.sleeping).toBe(0);
  });
});
