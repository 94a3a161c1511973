// Pages of REST for books that have to be synchronised: a few at a time, those that wait longest first, a book that fails
// again and again less and less often. A page is heavy (Binance: 250 of 6,000 a minute), and every book wants one at once
// after a broken connection.
import type { Clock } from "../../../core/clock.js";
import { classifyError, describeError } from "../../../core/fault.js";
import type { Log } from "../../../core/log.js";
import type { BookPage } from "../../../core/model/book.js";
import type { Random } from "../../../core/random.js";
import { SignalEvent } from "../../../core/signal-event.js";
import type { LiveVenue } from "../../../exchanges/live.js";

export interface BookPagesOptions {
  readonly venue: Pick<LiveVenue, "fetchBook" | "bookRules">;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Who wants a page. */
export interface PageSeeker {
  /** For messages: `binance:BTC/USDT`. */
  readonly name: string;
  readonly nativeSymbol: string;
  onPage(page: BookPage): void;
  onPageFailed(): void;
}

/** Times are of our clock, epoch ms. */
interface Waiting {
  readonly seeker: PageSeeker;
  readonly askedMs: number;
  /** Not before. */
  readonly dueMs: number;
}

/** Requests under way at once; the rate limit is the bound, this keeps the line busy. */
const CONCURRENT = 4;
/** Between two pages of one book: doubled with each in a row, from the second on. */
const AGAIN_FIRST_MS = 1_000;
const AGAIN_MAX_MS = 10_000;
/** A book that has held so long has recovered. */
const CALM_MS = 30_000;

export class BookPages {
  readonly #options: BookPagesOptions;
  readonly #waiting = new Map<PageSeeker, Waiting>();
  readonly #history = new Map<PageSeeker, { count: number; lastMs: number }>();
  readonly #changed = new SignalEvent();

  constructor(options: BookPagesOptions) {
    this.#options = options;
  }

  /** Books that wait for a page. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Asks for a page, now or, for one that has had several in a row, after a while. */
  request(seeker: PageSeeker): void {
    const { clock, random } = this.#options;
    const nowMs = clock.nowMs();
    const before = this.#history.get(seeker);
    const count = before && nowMs - before.lastMs < CALM_MS ? before.count + 1 : 0;
    this.#history.set(seeker, { count, lastMs: nowMs });
    const delayMs =
      count === 0 ? 0 : Math.min(AGAIN_FIRST_MS * 2 ** (count - 1), AGAIN_MAX_MS) * (0.5 + random.next() / 2);
    this.#waiting.set(seeker, { seeker, askedMs: nowMs, dueMs: nowMs + delayMs });
    this.#changed.notify();
  }

  /** No longer wanted: the stream is gone. */
  withdraw(seeker: PageSeeker): void {
    this.#waiting.delete(seeker);
  }

  /** Serves requests until the signal is aborted. */
  async run(signal: AbortSignal): Promise<void> {
    await Promise.all(Array.from({ length: CONCURRENT }, () => this.#serve(signal)));
  }

  async #serve(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    while (!signal.aborted) {
      const next = this.#takeDue(clock.nowMs());
      if (next) await this.#fetch(next.seeker, signal);
      else await this.#waitForWork(signal);
    }
  }

  #takeDue(nowMs: number): Waiting | undefined {
    let first: Waiting | undefined;
    for (const waiting of this.#waiting.values())
      if (isDue(waiting, nowMs) && (first === undefined || waiting.dueMs < first.dueMs)) first = waiting;
    if (first) this.#waiting.delete(first.seeker);
    return first;
  }

  async #waitForWork(signal: AbortSignal): Promise<void> {
    const { clock } = this.#options;
    const dueMs = Math.min(...[...this.#waiting.values()].map((each) => each.dueMs), Infinity);
    const woken = new AbortController();
    const either = AbortSignal.any([signal, woken.signal]);
    const waits = [this.#changed.wait(either)];
    const leftMs = Math.min(dueMs - clock.nowMs(), AGAIN_MAX_MS);
    if (dueMs < Infinity) waits.push(clock.sleep(Math.max(1, leftMs), either));
    await Promise.race(waits.map((wait) => wait.catch(() => undefined)));
    woken.abort();
    await Promise.allSettled(waits);
  }

  async #fetch(seeker: PageSeeker, signal: AbortSignal): Promise<void> {
    const { venue, log } = this.#options;
    try {
      const { nativeSymbol } = seeker;
      seeker.onPage(await venue.fetchBook({ nativeSymbol, levels: venue.bookRules.pageLevels }, signal));
    } catch (error) {
      if (signal.aborted) return;
      log.warn(
        `${seeker.name}: its order book cannot be fetched (${classifyError(error).kind}: ${describeError(error)}); it is asked for again, and no book is served meanwhile`,
      );
      seeker.onPageFailed();
      this.request(seeker);
    }
  }
}

/** A clock that shows a time before the question was set back: what is left is unknown, and a page does no harm. */
function isDue({ askedMs, dueMs }: Waiting, nowMs: number): boolean {
  return nowMs >= dueMs || nowMs < askedMs;
}
