// The collector killed without warning, again and again: what it had claimed is there, and the same command ends exact.
import { describe, expect, it } from "vitest";
import { systemClock } from "../../src/core/clock.js";
import { seededRandom } from "../../src/core/random.js";
import { newBackfill } from "../support/backfill-run.js";

const KILLS = 10;
/** From before the database is open to the middle of the pages. */
const MOMENT_MS = { first: 150, last: 1_800 };

describe("a backfill killed at any moment", () => {
  it(`is exact after ${KILLS} SIGKILLs, and its ledger never claims what is not stored`, async () => {
    const run = await newBackfill({ days: 56, delayMs: 100 });
    const random = seededRandom(run.seed);
    const moments: number[] = [];
    for (let kill = 0; kill < KILLS; kill++) {
      const cli = run.start();
      const momentMs = MOMENT_MS.first + random.next() * (MOMENT_MS.last - MOMENT_MS.first);
      moments.push(momentMs);
      // The moment is the point: it is drawn, not awaited.
      await systemClock.sleep(momentMs);
      expect(await cli.kill("SIGKILL"), cli.stderr).toMatchObject({ signal: "SIGKILL", stdout: "" });
      await run.expectHonestLedger();
    }
    const pagesBefore = run.exchange.requests.count({ endpoint: "/api/v3/klines" });
    expect(pagesBefore, `killed at ${moments.join(", ")} ms`).toBeGreaterThan(KILLS / 2);
    const { status, stdout, stderr } = await run.start().ended;
    expect({ status, stderr }).toMatchObject({ status: 0 });
    expect(stdout).toContain(" 0 missing, 100.00 % proven");
    await run.expectTruth();
  });
});
