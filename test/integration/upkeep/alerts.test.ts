// Alerts against a real database and a real receiver: told once, in groups, outside maintenance, and across restarts.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { silentLog } from "../../../src/core/log.js";
import { HttpClient } from "../../../src/core/net/http-client.js";
import { seededRandom } from "../../../src/core/random.js";
import type { Store } from "../../../src/store/store.js";
import type { Alert } from "../../../src/upkeep/alerts/alert-message.js";
import { Alerts, type AlertsOptions } from "../../../src/upkeep/alerts/alerts.js";
import { trackFailures } from "../../../src/upkeep/alerts/failure-alerts.js";
import { webhookNotifier } from "../../../src/upkeep/alerts/webhook-notifier.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";
import { until } from "../../support/until.js";
import { ManualClock } from "../../unit/core/net/manual-clock.js";
import { failure, success } from "../../unit/upkeep/errors/failures.js";
import { hang, startAlertsReceiver, status, type AlertsReceiver } from "./alerts-receiver.js";

const T0 = Date.UTC(2024, 0, 1);
const HOUR_MS = 3_600_000;
const never = new AbortController().signal;

let database: TestDatabase;
let store: Store;
let receiver: AlertsReceiver;
let http: HttpClient;
let clock: ManualClock;
let running: Alerts[];
let logged: string[];

const log = {
  error: (text: string) => logged.push(`error ${text}`),
  warn: (text: string) => logged.push(`warn ${text}`),
  info: (text: string) => logged.push(`info ${text}`),
} as unknown as typeof silentLog;

beforeEach(async () => {
  database = await createTestDatabase();
  store = await database.openStore();
  receiver = await startAlertsReceiver();
  http = new HttpClient();
  clock = new ManualClock(T0);
  running = [];
  logged = [];
});

afterEach(async () => {
  await Promise.all(running.map((alerts) => alerts.close()));
  expect(clock.sleeping).toBe(0);
  await http.close();
  await receiver.close();
  await database.drop();
});

function newAlerts(options: Partial<AlertsOptions> = {}): Alerts {
  const alerts = new Alerts({
    store,
    notifiers: [webhookNotifier({ url: `${receiver.url}/hook/s3cret`, http, timeoutMs: 200 })],
    clock,
    random: seededRandom(1),
    log,
    groupMs: 2_000,
    retry: { attempts: 3, baseDelayMs: 10, maxDelayMs: 10 },
    ...options,
  });
  running.push(alerts);
  return alerts;
}

const alert = (what: string, values: Partial<Alert> = {}): Alert => ({
  key: `failures:${what}`,
  severity: "warning",
  exchange: "binance",
  title: `${what}: requests fail`,
  text: "5 in a row",
  ...values,
});

const bodies = () => receiver.received.map(({ body }) => body);
const told = () => bodies().map(({ status: what, key }) => `${String(what)} ${String(key)}`);

/** Lets time pass in small steps until it holds. */
const passing = (isTrue: () => boolean | Promise<boolean>) =>
  until(async () => {
    await clock.advance(100);
    return isTrue();
  });

const rows = () =>
  database.sql<{
    key: string;
    occurrences: string;
    is_open: boolean;
    is_told: boolean;
    is_end_told: boolean;
  }>(
    `SELECT key, occurrences, resolved_at IS NULL AS is_open, trouble_notified_at IS NOT NULL AS is_told,
            recovery_notified_at IS NOT NULL AS is_end_told FROM alerts ORDER BY id`,
  );

describe("Alerts", () => {
  it("tells a trouble once, however often it is raised, and its end once", async () => {
    const alerts = newAlerts();
    for (let i = 0; i < 3; i++) alerts.raise(alert("A"));
    await alerts.flush(never);
    alerts.raise(alert("A"));
    await alerts.flush(never);
    alerts.resolve("failures:A", "answers again");
    alerts.resolve("failures:A", "answers again");
    await alerts.flush(never);
    const common = {
      key: "failures:A",
      keys: ["failures:A"],
      severity: "warning",
      title: "A: requests fail",
    };
    expect(bodies()).toEqual([
      { ...common, status: "trouble", text: "5 in a row", exchange: "binance", at: "2024-01-01T00:00:00Z" },
      {
        ...common,
        status: "recovered",
        text: "answers again",
        exchange: "binance",
        at: "2024-01-01T00:00:00Z",
      },
    ]);
    expect(await rows()).toEqual([
      { key: "failures:A", occurrences: "4", is_open: false, is_told: true, is_end_told: true },
    ]);
  });

  it("tells the same trouble again when it comes back after its end", async () => {
    const alerts = newAlerts();
    for (let i = 0; i < 2; i++) {
      alerts.raise(alert("A"));
      await alerts.flush(never);
      alerts.resolve("failures:A", "over");
      await alerts.flush(never);
    }
    expect(told()).toEqual([
      "trouble failures:A",
      "recovered failures:A",
      "trouble failures:A",
      "recovered failures:A",
    ]);
    expect((await rows()).map((row) => row.is_open)).toEqual([false, false]);
  });

  it("waits for others of its exchange and kind, and tells them in one message", async () => {
    const alerts = newAlerts();
    for (let i = 1; i <= 100; i++) alerts.raise(alert(`M${i}`, i === 50 ? { severity: "critical" } : {}));
    alerts.raise(alert("X", { exchange: "okx" }));
    alerts.raise(alert("Y", { key: "quality:Y" }));
    await clock.advance(1_999);
    expect(told()).toEqual([]);
    await passing(() => told().length === 3);
    expect(bodies()[0]).toMatchObject({
      status: "trouble",
      key: "failures:*",
      keys: Array.from({ length: 100 }, (_, i) => `failures:M${i + 1}`),
      severity: "critical",
      title: "binance failures: 100 troubles at once",
      text: "M1: requests fail; M2: requests fail; M3: requests fail; and 97 more",
    });
    expect(told().slice(1)).toEqual(["trouble failures:X", "trouble quality:Y"]);
    for (let i = 1; i <= 100; i++) alerts.resolve(`failures:M${i}`, "over");
    await passing(() => told().length === 4);
    expect(bodies()[3]).toMatchObject({
      status: "recovered",
      title: "binance failures: 100 recovered at once",
    });
  });

  it("says nothing of what was over before it was due", async () => {
    const alerts = newAlerts();
    alerts.raise(alert("A"));
    await clock.advance(1_000);
    alerts.resolve("failures:A", "over");
    await clock.advance(HOUR_MS);
    await alerts.flush(never);
    expect(told()).toEqual([]);
  });

  it("says nothing of a trouble an earlier run has told, and tells its end", async () => {
    const first = newAlerts();
    first.raise(alert("A"));
    await first.flush(never);
    await first.close();
    const second = newAlerts();
    second.raise(alert("A"));
    await second.flush(never);
    expect(told()).toEqual(["trouble failures:A"]);
    expect((await rows())[0]?.occurrences).toBe("2");
    second.resolve("failures:A", "over");
    await second.flush(never);
    expect(told()).toEqual(["trouble failures:A", "recovered failures:A"]);
  });

  it("tells the end of an earlier run's trouble when that is the first thing it hears", async () => {
    const first = newAlerts();
    first.raise(alert("A"));
    await first.flush(never);
    await first.close();
    const second = newAlerts();
    second.resolve("failures:A", "over");
    await second.flush(never);
    expect(told()).toEqual(["trouble failures:A", "recovered failures:A"]);
    expect((await rows()).map((row) => row.is_open)).toEqual([false]);
  });

  it("tells what an earlier run had no time to tell", async () => {
    const holding = { startMs: T0, endMs: T0 + HOUR_MS, exchange: undefined };
    const first = newAlerts({ maintenance: [holding] });
    first.raise(alert("A"));
    await first.flush(never);
    await first.close();
    expect(told()).toEqual([]);
    const second = newAlerts();
    second.start();
    await passing(() => told().length === 1);
    expect(told()).toEqual(["trouble failures:A"]);
  });

  it("tells nothing during announced maintenance of that exchange, and what still lasts at its end", async () => {
    const alerts = newAlerts({
      maintenance: [{ startMs: T0, endMs: T0 + HOUR_MS, exchange: "binance" }],
    });
    alerts.raise(alert("A"));
    alerts.raise(alert("B"));
    alerts.raise(alert("O", { exchange: "okx" }));
    await passing(() => told().length === 1);
    expect(told()).toEqual(["trouble failures:O"]);
    await passing(async () => (await rows()).length === 3);
    alerts.resolve("failures:B", "over");
    await alerts.flush(never);
    expect(told()).toEqual(["trouble failures:O"]);
    await clock.advance(HOUR_MS);
    await passing(() => told().length === 2);
    await alerts.flush(never);
    expect(told()).toEqual(["trouble failures:O", "trouble failures:A"]);
    expect((await rows()).filter((row) => !row.is_open)).toEqual([
      { key: "failures:B", occurrences: "1", is_open: false, is_told: false, is_end_told: false },
    ]);
  });

  it("heeds what the exchange itself announces, until it announces something else", async () => {
    const alerts = newAlerts();
    alerts.announce("binance", [{ startMs: T0, endMs: T0 + HOUR_MS }]);
    alerts.raise(alert("A"));
    alerts.raise(alert("O", { exchange: "okx" }));
    await passing(() => told().length === 1);
    expect(told()).toEqual(["trouble failures:O"]);
    // It lasts longer than was announced.
    alerts.announce("binance", [{ startMs: T0, endMs: T0 + 2 * HOUR_MS }]);
    await clock.advance(HOUR_MS);
    await alerts.flush(never);
    expect(told()).toEqual(["trouble failures:O"]);
    alerts.announce("binance", []);
    alerts.raise(alert("C", { key: "quality:C" }));
    await passing(() => told().length === 2);
    expect(told()).toEqual(["trouble failures:O", "trouble quality:C"]);
    await clock.advance(HOUR_MS);
    await passing(() => told().length === 3);
    expect(told()[2]).toBe("trouble failures:A");
  });

  it("holds the end of a trouble back, too, and forgets it when the trouble returns meanwhile", async () => {
    const alerts = newAlerts({
      maintenance: [{ startMs: T0 + 10_000, endMs: T0 + HOUR_MS, exchange: "binance" }],
    });
    alerts.raise(alert("A"));
    alerts.raise(alert("B", { key: "quality:B" }));
    await alerts.flush(never);
    await clock.advance(10_000);
    alerts.resolve("failures:A", "over");
    alerts.resolve("quality:B", "over");
    await alerts.flush(never);
    alerts.raise(alert("A"));
    await clock.advance(HOUR_MS);
    await passing(() => told().length === 3);
    await alerts.flush(never);
    expect(told()).toEqual(["trouble failures:A", "trouble quality:B", "recovered quality:B"]);
  });

  it.each([
    ["answers 500", status(500), /webhook \(127\.0\.0\.1:\d+\) answered HTTP 500/, 3],
    ["does not answer", hang, /webhook: 127\.0\.0\.1:\d+: no complete answer/, 3],
    ["refuses the address", status(404, "no such hook /hook/s3cret"), /HTTP 404, "no such hook \*\*\*"/, 1],
  ])(
    "tries a receiver that %s, says so once, and says when it works again",
    async (_name, answer, words, tries) => {
      receiver.answer(answer);
      const alerts = newAlerts();
      alerts.raise(alert("A"));
      alerts.raise(alert("B", { key: "quality:B" }));
      await passing(() => logged.length === 1 && receiver.received.length === 2 * tries);
      expect(logged[0]).toMatch(words);
      expect(logged.join()).not.toContain("s3cret");
      await passing(async () => (await rows()).length === 2);
      expect((await rows()).map((row) => row.is_told)).toEqual([false, false]);
      await expect.poll(async () => (await clock.advance(10), clock.sleeping)).toBe(0);
      receiver.answer(status(200));
      alerts.raise(alert("C"));
      await alerts.flush(never);
      expect(logged.map((line) => line.split(" ", 1)[0])).toEqual(["error", "info"]);
      expect(logged[1]).toBe("info alerts: webhook works again; 2 messages did not get through");
    },
  );

  it("says nothing of the end of a trouble that did not get through", async () => {
    receiver.answer(status(404));
    const alerts = newAlerts();
    alerts.raise(alert("A"));
    await alerts.flush(never);
    receiver.answer(status(200));
    alerts.resolve("failures:A", "over");
    await alerts.flush(never);
    expect(told()).toEqual(["trouble failures:A"]);
  });

  it("gives up a receiver that refuses the connection without losing the others", async () => {
    const gone = await startAlertsReceiver();
    await gone.close();
    const alerts = newAlerts({
      notifiers: [
        webhookNotifier({ url: `${gone.url}/s3cret`, http }),
        webhookNotifier({ url: receiver.url, http }),
      ],
    });
    alerts.raise(alert("A"));
    await passing(() => told().length === 1 && logged.length === 1);
    expect(logged[0]).toMatch(/webhook: 127\.0\.0\.1:\d+ refused the connection/);
    expect(logged[0]).not.toContain("s3cret");
  });

  it("waits as long as a receiver asks for", async () => {
    receiver.answer(status(429, "", { "retry-after": "7" }), status(200));
    const alerts = newAlerts({ groupMs: 0 });
    alerts.raise(alert("A"));
    await until(() => receiver.received.length === 1 && clock.sleeping === 1);
    await clock.advance(6_999);
    await until(() => clock.sleeping === 1);
    expect(receiver.received).toHaveLength(1);
    await clock.advance(11);
    await until(() => receiver.received.length === 2);
  });

  it("tells while the database is away, and records it when it is back", async () => {
    let isAway = true;
    const { alerts: records } = store;
    const fails = () => Promise.reject(new Error("away"));
    const flaky = {
      open: () => (isAway ? fails() : records.open()),
      save: (changes: Parameters<typeof records.save>[0]) => (isAway ? fails() : records.save(changes)),
    };
    const alerts = newAlerts({ store: { alerts: flaky } });
    alerts.raise(alert("A"));
    await passing(() => told().length === 1);
    expect(logged).toEqual([expect.stringMatching(/^warn alerts cannot be recorded: away/)]);
    isAway = false;
    await passing(async () => (await rows())[0]?.is_told === true);
    expect(logged[1]).toBe("info alerts are recorded again");
    await alerts.flush(never);
    expect(told()).toEqual(["trouble failures:A"]);
  });

  it("flush gives up at its deadline, and the next run tells what was left", async () => {
    receiver.answer(hang);
    const first = newAlerts({ retry: { attempts: 50, baseDelayMs: 10, maxDelayMs: 10 } });
    first.raise(alert("A"));
    await expect(first.flush(AbortSignal.timeout(300))).rejects.toThrow("timeout");
    await first.close();
    receiver.answer(status(200));
    const before = receiver.received.length;
    const second = newAlerts();
    second.start();
    await passing(() => receiver.received.length > before);
    expect(bodies().at(-1)).toMatchObject({ status: "trouble", key: "failures:A" });
  });

  it("does not tell what is muted, records it, and tells what still lasts when that is over", async () => {
    const alerts = newAlerts({ mutes: [{ key: "failures:*", untilMs: T0 + HOUR_MS }] });
    alerts.raise(alert("A"));
    alerts.raise(alert("B"));
    alerts.raise(alert("C", { key: "quality:C" }));
    await alerts.flush(never);
    expect(told()).toEqual(["trouble quality:C"]);
    expect(await rows()).toMatchObject([
      { key: "failures:A", is_open: true, is_told: false },
      { key: "failures:B", is_open: true, is_told: false },
      { key: "quality:C", is_open: true, is_told: true },
    ]);
    alerts.resolve("failures:B", "answers again");
    await clock.advance(HOUR_MS);
    await passing(() => told().length > 1);
    expect(told()).toEqual(["trouble quality:C", "trouble failures:A"]);
  });

  it("ends what is muted for good without a word, also where an earlier run has told of it", async () => {
    const first = newAlerts();
    first.raise(alert("A"));
    await first.flush(never);
    await first.close();
    const second = newAlerts({ mutes: [{ key: "failures:A", untilMs: undefined }] });
    second.start();
    await passing(() => second.openBySeverity().warning === 1);
    second.resolve("failures:A", "answers again");
    await second.flush(never);
    expect(told()).toEqual(["trouble failures:A"]);
    expect(await rows()).toMatchObject([{ key: "failures:A", is_open: false, is_end_told: false }]);
  });

  it("turns failures in a row into one alert, over a restart, and their end into one recovery", async () => {
    const first = newAlerts();
    const tracker = trackFailures({ alerts: first, threshold: 2, openKeys: [] });
    for (let i = 0; i < 5; i++) tracker.failed(failure({ atMs: T0 + i * 1_000 }));
    await first.flush(never);
    await first.close();
    const openKeys = (await store.alerts.open()).map(({ key }) => key);
    const second = newAlerts();
    const next = trackFailures({ alerts: second, threshold: 2, openKeys });
    for (let i = 0; i < 5; i++) next.failed(failure());
    next.succeeded(success());
    await second.flush(never);
    expect(bodies().map(({ status: what, title, text }) => [what, title, text])).toEqual([
      [
        "trouble",
        "binance BTCUSDT: requests fail",
        "2 requests in a row failed, /api/v3/klines; the last one: binance /api/v3/klines BTCUSDT: HTTP 503",
      ],
      ["recovered", "binance BTCUSDT: requests fail", "/api/v3/klines answers again"],
    ]);
  });
});
