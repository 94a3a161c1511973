// `errors` on a real store: nothing to tell, something to tell, and the same as JSON.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { silentLog } from "../../../src/core/log.js";
import type { Store } from "../../../src/store/store.js";
import { ApiErrorLogger } from "../../../src/upkeep/errors/api-error-logger.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";
import { runCommand, type CommandResult } from "../../support/run-command.js";
import { newWorkFolder } from "../../support/work-folder.js";
import { ManualClock } from "../../unit/core/net/manual-clock.js";
import { failure } from "../../unit/upkeep/errors/failures.js";

const AT_MS = Date.UTC(2024, 4, 6, 7, 8, 9);
let database: TestDatabase;
let store: Store;

beforeEach(async () => {
  database = await createTestDatabase();
  store = await database.openStore();
});
afterEach(() => database.drop());

async function errors(...argv: string[]): Promise<CommandResult> {
  const folder = await newWorkFolder();
  await folder.configure({
    instance: { storage: { url: database.url } },
    collector: { exchange: "binance", symbols: [{ symbol: "BTC/USDT" }] },
  });
  return runCommand([...folder.options, "errors", ...argv]);
}

async function failSome(): Promise<void> {
  const logger = new ApiErrorLogger({ store, clock: new ManualClock(AT_MS), log: silentLog });
  const message = `binance: HTTP 503, "\u001b[2J${"down ".repeat(40)}"`;
  for (const nativeSymbol of ["A", "B", "C", "D", "E"])
    logger.log(failure({ atMs: AT_MS, nativeSymbol, message }));
  await logger.close();
  await store.alerts.save([
    {
      key: "failures:binance",
      resolution: undefined,
      alert: {
        key: "failures:binance",
        severity: "critical",
        exchange: "binance",
        title: "binance A: requests fail",
        text: "5 in a row",
        raisedMs: AT_MS,
        lastSeenMs: AT_MS,
        occurrences: 3,
        notifiedMs: undefined,
      },
    },
  ]);
}

describe("errors", () => {
  it("says in a sentence that nothing has failed", async () => {
    const { status, stdout } = await errors("--since", "2024-05-06");
    expect([status, stdout]).toEqual([
      0,
      "No request has failed since 2024-05-06 00:00 UTC.\n\nNo alert is open.\n",
    ]);
  });

  it("lists failures by exchange, endpoint and class, and open alerts, without letting a server write to the terminal", async () => {
    await failSome();
    const { status, stdout } = await errors("--since", "2024-05-06");
    expect(status).toBe(0);
    const lines = stdout.split("\n");
    expect(lines[0]).toBe("Failed requests since 2024-05-06 00:00 UTC");
    expect(lines[1]).toMatch(/^exchange +endpoint +class +count +last \(UTC\) +code +markets +last message$/);
    expect(lines[2]?.split(/ {2,}/).slice(0, 7)).toEqual([
      "binance",
      "/api/v3/klines",
      "exchange",
      "5",
      "2024-05-06 07:08:09",
      "HTTP 503",
      "A, B, C and 2 more",
    ]);
    expect(lines[2]).toMatch(/binance: HTTP 503, " \[2Jdown down [down ]*…$/);
    expect(stdout).not.toContain("\u001b[2J");
    expect(stdout).toMatch(
      /Open alerts\n.*\ncritical +2024-05-06 07:08:09 .* 3 +not yet +binance A: requests fail: 5 in a row\n/,
    );
  });

  it("leaves out what failed before", async () => {
    await failSome();
    expect((await errors("--since", "24h")).stdout).toContain("No request has failed since");
  });

  it("prints one JSON document", async () => {
    await failSome();
    const { stdout } = await errors("--since", "2024-05-06", "--json");
    const report = JSON.parse(stdout) as { errors: { last_message: string }[]; open_alerts: unknown[] };
    expect(report).toMatchObject({
      since: "2024-05-06T00:00:00Z",
      errors: [
        {
          exchange: "binance",
          endpoint: "/api/v3/klines",
          error_type: "exchange",
          count: 5,
          last_at: "2024-05-06T07:08:09Z",
          error_code: "HTTP 503",
          markets: ["A", "B", "C", "D", "E"],
        },
      ],
      open_alerts: [
        {
          key: "failures:binance",
          severity: "critical",
          exchange: "binance",
          title: "binance A: requests fail",
          text: "5 in a row",
          raised_at: "2024-05-06T07:08:09Z",
          last_seen_at: "2024-05-06T07:08:09Z",
          occurrences: 3,
          notified_at: null,
        },
      ],
    });
  });

  it("refuses a time that is none", async () => {
    const { status, stderr } = await errors("--since", "yesterday");
    expect(status).toBe(2);
    expect(stderr).toContain('--since: found "yesterday"');
  });
});
