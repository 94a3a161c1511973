import { beforeEach, describe, expect, it } from "vitest";
import { Histogram } from "../../../../src/core/counts.js";
import type { SeriesFigures } from "../../../../src/store/operating-figures.js";
import type { Alert } from "../../../../src/upkeep/alerts/alert-message.js";
import { AlertWatch } from "../../../../src/upkeep/alerts/watch/alert-watch.js";
import {
  bans,
  fullStage,
  lateRecords,
  silentFeeds,
} from "../../../../src/upkeep/alerts/watch/moving-rules.js";
import { databaseAway, diskFull, oldGaps } from "../../../../src/upkeep/alerts/watch/stored-rules.js";
import { onSecondLook, type WatchRule } from "../../../../src/upkeep/alerts/watch/watch-rule.js";
import { noTraffic } from "../../../../src/pipeline/feed/live/stream-traffic.js";

const T0 = Date.UTC(2024, 0, 1);
const MINUTE_MS = 60_000;
const keys = (rule: WatchRule, nowMs = T0): string[] | undefined => rule.look(nowMs)?.map(({ key }) => key);

const series = (values: Partial<SeriesFigures>): SeriesFigures => ({
  marketId: 1,
  exchange: "okx",
  market: "okx:BTC/USDT",
  dataType: "ohlcv",
  timeframe: "1m",
  expectedMs: 1,
  missingMs: 120_000,
  gaps: 1,
  oldestGapFoundMs: undefined,
  score: undefined,
  checkedMs: undefined,
  ...values,
});
const storeOf = (...all: SeriesFigures[]) => ({
  atMs: T0,
  series: all,
  tasks: { pending: 0, running: 0, completed: 0, failed: 0 },
  databaseBytes: 0,
});

describe("a gap that stays", () => {
  it("is told when it has been known for long enough, by series", () => {
    const figures = {
      isReachable: true,
      store: storeOf(
        series({ oldestGapFoundMs: T0 }),
        series({ dataType: "trades", timeframe: "", oldestGapFoundMs: T0 - MINUTE_MS }),
        series({ market: "okx:ETH/USDT" }),
      ),
    };
    const rule = oldGaps(figures, 30 * MINUTE_MS);
    expect(keys(rule, T0 + 29 * MINUTE_MS)).toEqual(["gap:okx:BTC/USDT trades"]);
    expect(keys(rule, T0 + 30 * MINUTE_MS)).toEqual(["gap:okx:BTC/USDT 1m", "gap:okx:BTC/USDT trades"]);
  });

  it("neither begins nor ends while the database is away", () => {
    expect(keys(oldGaps({ isReachable: false, store: storeOf() }, 1))).toBeUndefined();
    expect(keys(oldGaps({ isReachable: true, store: undefined }, 1))).toBeUndefined();
  });
});

describe("streams without a message", () => {
  it("are told when none of an exchange's has had one for long enough", () => {
    const feed = { traffic: noTraffic(), unreadable: 0, connections: () => [] };
    const other = { traffic: noTraffic(), unreadable: 0, connections: () => [] };
    const rule = silentFeeds(
      () => [
        { exchange: "okx", feed },
        { exchange: "okx", feed: other },
      ],
      5 * MINUTE_MS,
    );
    expect(keys(rule, T0)).toEqual([]);
    expect(keys(rule, T0 + 4 * MINUTE_MS)).toEqual([]);
    other.traffic.trades.messages++;
    expect(keys(rule, T0 + 5 * MINUTE_MS)).toEqual([]);
    expect(keys(rule, T0 + 9 * MINUTE_MS)).toEqual([]);
    expect(keys(rule, T0 + 10 * MINUTE_MS)).toEqual(["silent:okx"]);
    feed.traffic.book.messages++;
    expect(keys(rule, T0 + 11 * MINUTE_MS)).toEqual([]);
  });
});

describe("late records", () => {
  it("are told when they are more than a twentieth of those since the last look", () => {
    const histogram = new Histogram([1, 30, 60]);
    const rule = lateRecords(() => [{ exchange: "okx", dataType: "trades", histogram }], 30_000);
    const add = (count: number, seconds: number): void => {
      for (let i = 0; i < count; i++) histogram.observe(seconds);
    };
    add(95, 0.5);
    add(5, 45);
    expect(keys(rule)).toEqual([]);
    add(94, 0.5);
    add(6, 45);
    expect(keys(rule)).toEqual(["lag:okx trades"]);
    // What was late before is not late again.
    add(100, 29);
    expect(keys(rule)).toEqual([]);
    // Too few to tell.
    add(19, 100);
    expect(keys(rule)).toEqual([]);
  });
});

describe("the other rules", () => {
  it("tell a ban as long as it lasts, of each exchange", () => {
    let bannedUntilMs: number | undefined = T0 + MINUTE_MS;
    const rule = bans(() => [
      { id: "binance", condition: () => ({ bannedUntilMs, limits: [] }) },
      { id: "okx", condition: () => ({ bannedUntilMs: undefined, limits: [] }) },
    ]);
    expect(rule.look(T0)).toMatchObject([
      {
        key: "ban:binance",
        severity: "critical",
        text: expect.stringContaining("2024-01-01T00:01:00Z") as string,
      },
    ]);
    bannedUntilMs = undefined;
    expect(keys(rule)).toEqual([]);
  });

  it("tell a stage that is filled, and a disk that is", () => {
    const load = { rows: 79, rowsMax: 100 };
    const stage = fullStage({ load }, 0.8);
    expect(keys(stage)).toEqual([]);
    load.rows = 80;
    expect(keys(stage)).toEqual(["stage:fill"]);
    const disk = (freeBytes: number): string[] | undefined =>
      keys(diskFull({ disk: { freeBytes, sizeBytes: 1_000 } }, 100));
    expect(disk(100)).toEqual([]);
    expect(disk(99)).toEqual(["disk:data"]);
    expect(keys(diskFull({ disk: undefined }, 100))).toBeUndefined();
    expect(keys(databaseAway({ isReachable: false }))).toEqual(["database:away"]);
  });

  it("tell what comes and goes only when it was there the last time", () => {
    const load = { rows: 100, rowsMax: 100 };
    const rule = onSecondLook(fullStage({ load }, 0.8));
    expect(keys(rule)).toEqual([]);
    load.rows = 0;
    expect(keys(rule)).toEqual([]);
    load.rows = 100;
    expect(keys(rule)).toEqual([]);
    expect(keys(rule)).toEqual(["stage:fill"]);
  });
});

describe("AlertWatch", () => {
  let found: Alert[] | undefined;
  let told: string[];
  const rule: WatchRule = { kind: "gap", over: "closed", look: () => found };
  const alerts = {
    raise: ({ key, text }: Alert) => void told.push(`raise ${key}: ${text}`),
    resolve: (key: string, text: string) => void told.push(`resolve ${key}: ${text}`),
  };
  const alert = (key: string, text: string): Alert => ({ key, text, severity: "warning", title: key });
  beforeEach(() => {
    found = [];
    told = [];
  });

  it("raises what is found, again only with something new to say, and resolves what is no longer found", () => {
    const watch = new AlertWatch({ alerts, rules: [rule], openKeys: [] });
    found = [alert("gap:a", "1 gap"), alert("gap:b", "1 gap")];
    watch.look(T0);
    watch.look(T0);
    found = [alert("gap:a", "2 gaps")];
    watch.look(T0);
    expect(told).toEqual([
      "raise gap:a: 1 gap",
      "raise gap:b: 1 gap",
      "raise gap:a: 2 gaps",
      "resolve gap:b: closed",
    ]);
  });

  it("resolves what an earlier run has left open, once it can tell, and nothing of other kinds", () => {
    const watch = new AlertWatch({ alerts, rules: [rule], openKeys: ["gap:a", "gap:b", "quality:x"] });
    found = undefined;
    watch.look(T0);
    expect(told).toEqual([]);
    found = [alert("gap:b", "1 gap")];
    watch.look(T0);
    expect(told).toEqual(["raise gap:b: 1 gap", "resolve gap:a: closed"]);
  });
});
