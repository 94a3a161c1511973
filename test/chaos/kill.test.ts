// The collector killed without warning, again and again: what it had claimed is there, and the same command ends exact.
import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/core/clock.js";
import { seededRandom } from "../../src/core/random.js";
import { newBackfill } from "../support/backfill-run.js";
import { until } from "../support/until.js";

const KILLS = 10;
/** From the start, every other time; it may lie before the database is open. */
const MOMENT_MS = { first: 150, last: 1_800 };
/** From the first page, the other times, however long a machine takes to it. */
const PAGES_MS = 600;

describe("a backfill killed at any moment", () => {
  it(`is exact after ${KILLS} SIGKILLs, and its ledger never claims what is not stored`, async () => {
    const run = await newBackfill({ days: 56, delayMs: 100 });
    const random = seededRandom(run.seed);
    const moments: number[] = [];
    const pages = (): number => run.exchange.requests.count({ endpoint: "/api/v3/klines" });
    for (let kill = 0; kill < KILLS; kill++) {
      const before = pages();
      const cli = run.start();
      const isAmongPages = kill % 2 === 1;
      const momentMs = isAmongPages
        ? random.next() * PAGES_MS
        : MOMENT_MS.first + random.next() * (MOMENT_MS.last - MOMENT_MS.first);
      moments.push(momentMs);
      if (isAmongPages) await until(() => pages() > before, { what: () => cli.stderr });
      // The moment is the point: it is drawn.
      await systemClock.sleep(momentMs);
      expect(await cli.kill("SIGKILL"), cli.stderr).toMatchObject({ signal: "SIGKILL", stdout: "" });
      await run.expectHonestLedger();
    }
    expect(pages(), `killed at ${moments.join(", ")} ms`).toBeGreaterThan(KILLS / 2);
    const { status, stdout, stderr } = await run.start().ended;
    expect({ status, stderr }).toMatchObject({ status: 0 });
    expect(stdout).toContain(" 0 missing, 100.00 % proven");
    await run.expectTruth();
  });
});
