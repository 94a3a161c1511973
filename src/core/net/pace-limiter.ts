// Requests per sliding window, as OKX counts them per endpoint and IP. In: requests that want to leave. Out: permission,
// in the order it was asked for.
import type { Clock } from "../clock.js";
import { TickwellError } from "../fault.js";
import { onAbort } from "./abort.js";
import { Pause } from "./pause.js";

export interface PaceLimiterOptions {
  readonly clock: Clock;
  /** Requests the exchange allows in a window. */
  readonly limit: number;
  readonly windowMs: number;
  /** The part of the limit that may be used, in (0, 1]; one request a window is always allowed. */
  readonly share: number;
  /** Most requests that wait; one more is refused. */
  readonly waitersMax?: number;
}

const WAITERS_MAX = 1_000;

/**
 * At most so many requests leave within any window, wherever it begins: the exchange's own windows need not be known.
 * One loop serves the queue; it runs only while somebody waits.
 */
export class PaceLimiter {
  /** Requests the exchange allows in a window. */
  readonly limit: number;
  readonly windowMs: number;
  readonly #clock: Clock;
  readonly #budget: number;
  readonly #waitersMax: number;
  readonly #queue: { readonly admit: () => void }[] = [];
  /** When the last requests left, oldest first; as many as the budget at most. */
  #leftMs: number[] = [];
  readonly #pause = new Pause();
  /** Ends the loop's sleep; undefined while the loop does not run. */
  #sleep: AbortController | undefined;

  constructor({ clock, limit, windowMs, share, waitersMax = WAITERS_MAX }: PaceLimiterOptions) {
    if (!(share > 0 && share <= 1)) {
      throw new TickwellError({ kind: "config" }, `rate limit share ${share} is not above 0 and at most 1`);
    }
    this.limit = limit;
    this.#clock = clock;
    this.windowMs = windowMs;
    this.#budget = Math.max(Math.floor(limit * share), 1);
    this.#waitersMax = waitersMax;
  }

  /** Requests that left within the last window. */
  get used(): number {
    const nowMs = this.#clock.nowMs();
    this.#heedClock(nowMs);
    return this.#leftMs.filter((leftMs) => leftMs > nowMs - this.windowMs).length;
  }

  /**
   * Resolves when a request may leave.
   * @throws TickwellError `rate_limit` when too many wait already; the signal's reason when it is aborted
   */
  async acquire(signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#queue.length === 0 && this.#waitMs() === 0) {
      this.#take();
      return;
    }
    if (this.#queue.length >= this.#waitersMax) {
      throw new TickwellError(
        { kind: "rate_limit", retryAfterMs: Math.max(this.#waitMs(), this.windowMs) },
        `${this.#queue.length} requests wait for the rate limit already; ask less at once, or raise rate_limit`,
      );
    }
    await new Promise<void>((resolve, reject) => {
      const waiter = {
        admit: () => {
          stopListening();
          resolve();
        },
      };
      const stopListening = onAbort(signal, (reason) => {
        this.#queue.splice(this.#queue.indexOf(waiter), 1);
        if (this.#queue.length === 0) this.#sleep?.abort();
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the caller's own reason, as it is
        reject(reason);
      });
      this.#queue.push(waiter);
      if (!this.#sleep) void this.#serve();
    });
  }

  /** Admits nobody before `untilMs` of our clock; the later of two pauses holds. */
  pauseUntil(untilMs: number): void {
    this.#pause.extend({ nowMs: this.#clock.nowMs(), untilMs });
  }

  async #serve(): Promise<void> {
    for (let head = this.#queue[0]; head; head = this.#queue[0]) {
      const waitMs = this.#waitMs();
      if (waitMs === 0) {
        this.#take();
        this.#queue.shift();
        head.admit();
        continue;
      }
      const sleep = new AbortController();
      this.#sleep = sleep;
      try {
        await this.#clock.sleep(waitMs, sleep.signal);
      } catch (error) {
        // Woken early: nobody waits any more.
        if (!sleep.signal.aborted) throw error;
      }
    }
    this.#sleep = undefined;
  }

  #take(): void {
    this.#leftMs.push(this.#clock.nowMs());
    if (this.#leftMs.length > this.#budget) this.#leftMs.shift();
  }

  /** 0 when a request may leave now. */
  #waitMs(): number {
    const nowMs = this.#clock.nowMs();
    this.#heedClock(nowMs);
    const oldestMs = this.#leftMs.length < this.#budget ? undefined : this.#leftMs[0];
    const freeMs = oldestMs === undefined ? nowMs : oldestMs + this.windowMs;
    return Math.max(freeMs - nowMs, (this.#pause.endMs(nowMs) ?? nowMs) - nowMs, 0);
  }

  /** What left in the future left before the clock was set back: a moment ago at worst. */
  #heedClock(nowMs: number): void {
    if ((this.#leftMs.at(-1) ?? nowMs) <= nowMs) return;
    this.#leftMs = this.#leftMs.map((leftMs) => Math.min(leftMs, nowMs));
  }
}
