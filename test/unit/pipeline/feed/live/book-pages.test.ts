import { describe, expect, it } from "vitest";
import { silentLog } from "../../../../../src/core/log.js";
import type { BookPage } from "../../../../../src/core/model/book.js";
import { SPOT_BOOK_RULES } from "../../../../../src/exchanges/binance/book-rules.js";
import { BookPages, type PageSeeker } from "../../../../../src/pipeline/feed/live/book-pages.js";
import { ManualClock, settle } from "../../../core/net/manual-clock.js";

const PAGE: BookPage = { sequence: 1, timeMs: undefined, bids: [], asks: [], request: "" };

async function serving(
  test: (world: { clock: ManualClock; pages: BookPages }) => Promise<void>,
): Promise<void> {
  const clock = new ManualClock(Date.UTC(2026, 0, 5, 12));
  const pages = new BookPages({
    venue: { fetchBook: () => Promise.resolve(PAGE), bookRules: SPOT_BOOK_RULES },
    clock,
    // The longest wait there is.
    random: { next: () => 1 },
    log: silentLog,
  });
  const stop = new AbortController();
  const run = pages.run(stop.signal);
  await test({ clock, pages });
  stop.abort();
  await run;
  expect(clock.sleeping).toBe(0);
}

function seekerOf() {
  let got = 0;
  const seeker: PageSeeker = {
    name: "binance:BTC/USDT",
    nativeSymbol: "BTCUSDT",
    onPage: () => void got++,
    onPageFailed: () => undefined,
  };
  return { seeker, got: () => got };
}

/** A page takes more turns than a wait. */
async function served(): Promise<void> {
  for (let i = 0; i < 5; i++) await settle();
}

describe("BookPages", () => {
  it("serves the first page at once and the next one of the same book after a while", async () => {
    await serving(async ({ clock, pages }) => {
      const { seeker, got } = seekerOf();
      pages.request(seeker);
      await served();
      expect(got()).toBe(1);
      pages.request(seeker);
      await clock.advance(999);
      await served();
      expect([got(), pages.waiting]).toEqual([1, 1]);
      await clock.advance(1);
      await served();
      expect([got(), pages.waiting]).toEqual([2, 0]);
    });
  });

  it("keeps no book waiting for an hour when the clock is set back by one", async () => {
    await serving(async ({ clock, pages }) => {
      const { seeker, got } = seekerOf();
      pages.request(seeker);
      await served();
      // Set back before anybody has begun to wait, and while somebody waits.
      pages.request(seeker);
      clock.setBack(3_600_000);
      await clock.advance(1_000);
      await served();
      expect(got()).toBe(2);
      pages.request(seeker);
      await served();
      clock.setBack(3_600_000);
      await clock.advance(2_000);
      await served();
      expect(got()).toBe(3);
    });
  });
});
