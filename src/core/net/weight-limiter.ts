// Request weight per fixed UTC minute, as Binance counts it per IP. In: what requests are about to cost, and what the
// exchange says was used. Out: permission, in the order it was asked for.
import type { Clock } from "../clock.js";
import { TickwellError } from "../fault.js";
import { onAbort } from "./abort.js";
import { Pause } from "./pause.js";

export interface WeightLimiterOptions {
  readonly clock: Clock;
  /** Weight the exchange allows in a minute, until {@link WeightLimiter.setLimit} knows better. */
  readonly limit: number;
  /** The part of the limit that may be used, in (0, 1]; what others on this IP use counts towards it. */
  readonly share: number;
  /** Most requests that wait; one more is refused. */
  readonly waitersMax?: number;
}

/** What an answer tells about the exchange's clock. */
export interface ServerTimeSample {
  /** The server's time, epoch ms, rounded down to {@link ServerTimeSample.resolutionMs}. */
  readonly serverMs: number;
  readonly resolutionMs: number;
  /** Our clock when the request left and when its answer had arrived. */
  readonly sentMs: number;
  readonly receivedMs: number;
}

interface Waiter {
  readonly weight: number;
  readonly admit: () => void;
}

const WINDOW_MS = 60_000;
const WAITERS_MAX = 1_000;
/** A server further away from us than this runs on a simulated or broken clock, whose minutes we cannot follow. */
const OFFSET_MAX_MS = 10 * 60_000;
/** The exchange's minute is known to the second, as its answers tell the time: it may end later than we think. */
const PAUSE_LEAST_MS = 1_000;

/**
 * Open while the window's use stays within the budget; waiting otherwise. One loop serves the queue: it sleeps until
 * the window or the pause ends, looks again, and admits from the front. It runs only while somebody waits.
 */
export class WeightLimiter {
  readonly windowMs = WINDOW_MS;
  readonly #clock: Clock;
  readonly #share: number;
  readonly #waitersMax: number;
  readonly #queue: Waiter[] = [];
  readonly #pause = new Pause();
  #limit: number;
  #window = Number.NEGATIVE_INFINITY;
  #used = 0;
  #offsetMs = 0;
  /** Ends the loop's sleep; undefined while the loop does not run. */
  #sleep: AbortController | undefined;

  constructor({ clock, limit, share, waitersMax = WAITERS_MAX }: WeightLimiterOptions) {
    if (!(share > 0 && share <= 1)) {
      throw new TickwellError({ kind: "config" }, `rate limit share ${share} is not above 0 and at most 1`);
    }
    this.#clock = clock;
    this.#limit = limit;
    this.#share = share;
    this.#waitersMax = waitersMax;
  }

  /** Weight used in the current window, as far as we know. */
  get used(): number {
    this.#turnWindow();
    return this.#used;
  }

  /** Weight the exchange allows in a window, as far as we know. */
  get limit(): number {
    return this.#limit;
  }

  /**
   * Resolves when a request of this weight may leave. A request heavier than the whole budget gets a window for itself.
   * @throws TickwellError `rate_limit` when too many wait already; the signal's reason when it is aborted
   */
  async acquire(weight: number, signal: AbortSignal): Promise<void> {
    signal.throwIfAborted();
    if (this.#queue.length === 0 && this.#waitMs(weight) === 0) {
      this.#used += weight;
      return;
    }
    if (this.#queue.length >= this.#waitersMax) {
      throw new TickwellError(
        { kind: "rate_limit", retryAfterMs: this.#windowEndMs() - this.#clock.nowMs() },
        `${this.#queue.length} requests wait for the rate limit already; ask less at once, or raise rate_limit`,
      );
    }
    await new Promise<void>((resolve, reject) => {
      const waiter: Waiter = {
        weight,
        admit: () => {
          stopListening();
          resolve();
        },
      };
      const stopListening = onAbort(signal, (reason) => {
        this.#queue.splice(this.#queue.indexOf(waiter), 1);
        // The next one may be lighter, or there may be none: either way the loop has to look again.
        this.#sleep?.abort();
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the caller's own reason, as it is
        reject(reason);
      });
      this.#queue.push(waiter);
      if (!this.#sleep) void this.#serve();
    });
  }

  /**
   * Takes the exchange's own count of this minute, which includes other processes on the same IP. Only ever corrects
   * upward: requests of ours may be under way that the exchange has not counted yet.
   */
  observe(usedWeight: number, sample?: ServerTimeSample): void {
    if (sample) this.#correctOffset(sample);
    this.#turnWindow();
    // An answer that crossed the minute's end counts a window that is over.
    if (sample && this.#isPlausible(sample) && Math.floor(sample.serverMs / WINDOW_MS) < this.#window) return;
    this.#used = Math.max(this.#used, usedWeight);
  }

  /** Takes the limit the exchange publishes. */
  setLimit(limit: number): void {
    this.#limit = limit;
    this.#sleep?.abort();
  }

  /** Admits nobody before `untilMs` of our clock; the later of two pauses holds. */
  pauseUntil(untilMs: number): void {
    this.#pause.extend({ nowMs: this.#clock.nowMs(), untilMs });
  }

  /** Admits nobody before the exchange's next minute: for a refusal that does not say how long it lasts. */
  pauseUntilNextWindow(): void {
    this.pauseUntil(Math.max(this.#windowEndMs(), this.#clock.nowMs() + PAUSE_LEAST_MS));
  }

  async #serve(): Promise<void> {
    for (let head = this.#queue[0]; head; head = this.#queue[0]) {
      const waitMs = this.#waitMs(head.weight);
      if (waitMs === 0) {
        this.#used += head.weight;
        this.#queue.shift();
        head.admit();
        continue;
      }
      const sleep = new AbortController();
      this.#sleep = sleep;
      try {
        await this.#clock.sleep(waitMs, sleep.signal);
      } catch (error) {
        // Woken early: somebody left, or the limit changed.
        if (!sleep.signal.aborted) throw error;
      }
    }
    this.#sleep = undefined;
  }

  /** 0 when a request of this weight may leave now. */
  #waitMs(weight: number): number {
    const nowMs = this.#clock.nowMs();
    const pausedUntilMs = this.#pause.endMs(nowMs);
    if (pausedUntilMs !== undefined) return pausedUntilMs - nowMs;
    this.#turnWindow();
    const budget = Math.floor(this.#limit * this.#share);
    // With nothing used yet, waiting longer could not help.
    if (this.#used === 0 || this.#used + weight <= budget) return 0;
    return Math.max(this.#windowEndMs() - nowMs, 1);
  }

  #turnWindow(): void {
    const window = Math.floor((this.#clock.nowMs() + this.#offsetMs) / WINDOW_MS);
    if (window === this.#window) return;
    // Also when a corrected offset takes us back: the minute we are in was left too early, and what it used is unknown,
    // so the count goes on.
    if (window > this.#window) this.#used = 0;
    this.#window = window;
  }

  #windowEndMs(): number {
    this.#turnWindow();
    return (this.#window + 1) * WINDOW_MS - this.#offsetMs;
  }

  /**
   * The server's clock minus ours lies between what it would be had the answer taken no time, and had the request.
   * Of the offsets that fit we keep the one nearest to the last: a single slow answer changes nothing.
   */
  #correctOffset(sample: ServerTimeSample): void {
    if (!this.#isPlausible(sample)) return;
    const leastMs = sample.serverMs - sample.receivedMs;
    const mostMs = sample.serverMs + sample.resolutionMs - sample.sentMs;
    this.#offsetMs = Math.min(Math.max(this.#offsetMs, leastMs), mostMs);
  }

  #isPlausible(sample: ServerTimeSample): boolean {
    return Math.abs(sample.serverMs - sample.receivedMs) <= OFFSET_MAX_MS;
  }
}
