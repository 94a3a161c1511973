// What the overview counts as open: what can be repaired. Times without a book stay on record for ever, and are told apart.
import { afterEach, beforeEach, expect, it } from "vitest";
import type { Clock } from "../../../src/core/clock.js";
import { NO_TALLY } from "../../../src/core/model/live-tally.js";
import { LiveHub } from "../../../src/pipeline/live-hub.js";
import type { Store, StoredMarket } from "../../../src/store/store.js";
import { MarketBoard } from "../../../src/web/market-board.js";
import { BTC_USDT } from "../../support/candles.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";

const NOW_MS = Date.UTC(2024, 0, 10, 12);
const HOUR_MS = 3_600_000;
const clock: Clock = { nowMs: () => NOW_MS, sleep: async () => undefined };

let database: TestDatabase;
let store: Store;
let market: StoredMarket;

beforeEach(async () => {
  database = await createTestDatabase();
  store = await database.openStore();
  [market] = (await store.putMarkets("binance", [BTC_USDT], { isSimulated: true })) as [StoredMarket];
});
afterEach(() => database.drop());

/** A book valid from one hour to another before now, but for a minute at the end. */
async function commitBook(fromHours: number, toHours: number): Promise<void> {
  const startMs = NOW_MS - fromHours * HOUR_MS;
  const endMs = NOW_MS - toHours * HOUR_MS;
  await store.commit(
    [
      {
        kind: "book",
        marketId: market.id,
        snapshots: [],
        deltas: [],
        valid: [{ startMs, endMs: endMs - 60_000 }],
        outages: [{ startMs: endMs - 60_000, endMs, reason: "sequence_break", detail: "" }],
        rejected: [],
        tally: NO_TALLY,
        receivedMs: endMs,
      },
    ],
    endMs,
  );
}

it("does not count a time without a book as a gap that is open", async () => {
  await commitBook(50, 40);
  await commitBook(40, 10);
  await commitBook(10, 1);
  const board = new MarketBoard({ store, hub: new LiveHub(), clock, wallClock: clock });
  const absences = { open_gaps: 0, book_outages_24h: 2, book_outage_ms_24h: 120_000 };
  expect(await board.totals()).toMatchObject({ series: 1, absences });
  expect(await board.summary(market.id)).toMatchObject(absences);
});
