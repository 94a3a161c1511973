// Times without an order book, as two collectors of one market, a killed one, and one that goes on for hours leave them on record.
import { afterAll, beforeAll, expect, it } from "vitest";
import type { BookPage, BookUpdate } from "../../../src/core/model/book.js";
import type { BookBatch } from "../../../src/core/model/record-batch.js";
import { SPOT_BOOK_RULES } from "../../../src/exchanges/binance/book-rules.js";
import { BookKeeper } from "../../../src/pipeline/feed/live/book-keeper.js";
import type { Store } from "../../../src/store/store.js";
import { BTC_USDT } from "../../support/candles.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";

const T0 = Date.UTC(2024, 0, 10, 12);
const S = 1_000;
const WINDOW = { startMs: T0 - 3_600 * S, endMs: T0 + 6 * 3_600 * S };
let database: TestDatabase;
let store: Store;
let markets = 0;

beforeAll(async () => {
  database = await createTestDatabase();
  store = await database.openStore();
});
afterAll(() => database.drop());

async function newMarket(): Promise<number> {
  const listed = { ...BTC_USDT, symbol: `H${++markets}/USDT` };
  const [market] = await store.putMarkets("binance", [listed], { isSimulated: true });
  return market?.id ?? 0;
}

/** A book driven by seconds: the id of the change at second s is 1000 + s. */
class Follower {
  readonly keeper: BookKeeper;

  constructor(marketId: number, followedToMs?: number) {
    this.keeper = new BookKeeper({
      marketId,
      rules: SPOT_BOOK_RULES,
      contractSize: undefined,
      levels: 2,
      snapshotEveryMs: 1_000,
      keepsDeltas: false,
      followedToMs,
      requestPage: () => undefined,
      resubscribe: () => undefined,
    });
  }

  start(s: number): void {
    const page: BookPage = {
      sequence: 999 + s,
      timeMs: undefined,
      bids: [
        ["100", "1"],
        ["99", "1"],
      ],
      asks: [
        ["101", "1"],
        ["102", "1"],
      ],
      request: "/d",
    };
    this.keeper.onOpened(arrivalAt(s));
    this.keeper.onUpdate(changeAt(s), arrivalAt(s));
    this.keeper.onPage(page);
  }

  follow(fromS: number, toS: number): void {
    for (let s = fromS; s <= toS; s++) this.keeper.onUpdate(changeAt(s), arrivalAt(s));
  }

  take(): BookBatch[] {
    const batch = this.keeper.take();
    return batch ? [batch] : [];
  }
}

const arrivalAt = (s: number) => ({ connectionId: 1, receivedMs: T0 + s * S, exchangeNowMs: T0 + s * S });
const changeAt = (s: number): BookUpdate => ({
  nativeSymbol: "X",
  isSnapshot: false,
  firstId: 1_000 + s,
  lastId: 1_000 + s,
  previousId: 999 + s,
  timeMs: T0 + s * S,
  checksum: undefined,
  bids: [["100", String(s + 1)]],
  asks: [],
});

const secondsOf = ({ startMs, endMs }: { startMs: number; endMs: number }) => [
  (startMs - T0) / S,
  (endMs - T0) / S,
];
const outages = async (id: number) => (await store.live.outages(id, WINDOW)).map(secondsOf);
const commit = (batches: BookBatch[], s: number) => store.commit(batches, T0 + s * S);

it("is none where another collector held the book, whichever of the two was first", async () => {
  const id = await newMarket();
  const a = new Follower(id);
  a.start(0);
  a.follow(1, 100);
  await commit(a.take(), 100);
  const b = new Follower(id, await store.live.bookFollowedTo(id));
  a.follow(101, 110);
  await commit(a.take(), 110);
  b.start(105);
  b.follow(106, 200);
  await commit(b.take(), 200);
  b.keeper.onLost("disconnected", "broken");
  b.start(400);
  b.follow(401, 500);
  await commit(b.take(), 500);
  expect(await outages(id)).toEqual([[200, 400]]);
  a.follow(111, 250);
  await commit(a.take(), 500);
  expect(await outages(id)).toEqual([[250, 400]]);
  a.follow(251, 500);
  await commit(a.take(), 500);
  expect(await outages(id)).toEqual([]);
  expect(await store.live.audit()).toEqual([]);
});

it("is cut in two by a book that stood in its midst", async () => {
  const id = await newMarket();
  const b = new Follower(id);
  b.start(0);
  b.follow(1, 10);
  b.keeper.onLost("disconnected", "broken");
  b.start(100);
  b.follow(101, 110);
  await commit(b.take(), 110);
  const a = new Follower(id);
  a.start(40);
  a.follow(41, 60);
  await commit(a.take(), 110);
  expect(await outages(id)).toEqual([
    [10, 40],
    [60, 100],
  ]);
  expect(await store.live.audit()).toEqual([]);
});

it("begins where the last batch ended that a killed process had left in the stage", async () => {
  const id = await newMarket();
  const a = new Follower(id);
  a.start(0);
  a.follow(1, 60);
  await commit(a.take(), 60);
  a.follow(61, 120);
  const leftInStage = a.take();
  const b = new Follower(id, await store.live.bookFollowedTo(id));
  b.start(125);
  b.follow(126, 200);
  await commit(leftInStage, 125);
  await commit(b.take(), 200);
  expect(await outages(id)).toEqual([[120, 125]]);
  expect(await store.live.audit()).toEqual([]);
});

it("is one gap that grows while it goes on, however often its pieces are delivered", async () => {
  const id = await newMarket();
  const a = new Follower(id);
  a.start(0);
  a.follow(1, 60);
  await commit(a.take(), 60);
  a.keeper.onLost("disconnected", "broken");
  for (let s = 61; s <= 300; s++) {
    a.keeper.tick(T0 + s * S, T0 + s * S);
    const pieces = a.take();
    for (const piece of [...pieces, ...pieces]) await commit([piece], s);
  }
  const [[fromS, toS] = []] = await outages(id);
  expect(fromS).toBe(60);
  expect(toS).toBeGreaterThanOrEqual(240);
  const [measured] = await store.live.measure({ window: WINDOW, marketIds: [id] });
  expect(measured?.score).toBeLessThan(100);
  a.start(320);
  a.follow(321, 330);
  await commit(a.take(), 330);
  expect(await outages(id)).toEqual([[60, 320]]);
  expect(await store.live.audit()).toEqual([]);
});

it("does not hold the one book that a process stored before it was killed", async () => {
  const id = await newMarket();
  const a = new Follower(id);
  a.start(0);
  a.follow(1, 60);
  await commit(a.take(), 60);
  a.keeper.onLost("disconnected", "broken");
  a.start(80);
  const leftInStage = a.take();
  const b = new Follower(id, await store.live.bookFollowedTo(id));
  b.start(125);
  b.follow(126, 200);
  await commit(leftInStage, 125);
  await commit(b.take(), 200);
  expect(await outages(id)).toEqual([
    [60, 80],
    [80.001, 125],
  ]);
  expect(await store.live.audit()).toEqual([]);
});

it("is on record whatever the exchange's text in its detail, once, also when one commit tells it twice", async () => {
  const id = await newMarket();
  const a = new Follower(id);
  a.start(0);
  a.follow(1, 10);
  a.keeper.onLost("stale", `price "\u0000${"9".repeat(3_000)}" is not a price`);
  a.start(20);
  const told = a.take();
  for (let i = 0; i < 2; i++) await commit([...told, ...told], 20);
  expect(await outages(id)).toEqual([[10, 20]]);
  expect(await store.live.audit()).toEqual([]);
});
