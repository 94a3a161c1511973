// Now by an exchange's clock: our clock plus the offset measured against the exchange's. Closedness is judged by it, or a
// machine whose clock is a minute fast would store forming candles as final.
import type { Clock } from "../../core/clock.js";
import { formatDuration } from "../../core/duration.js";
import type { Log } from "../../core/log.js";
import { formatTime } from "../../core/time.js";
import type { RestExchange } from "../../exchanges/exchange.js";

/**
 * The offset is measured again after this long: in every cycle of a minute, since a machine's clock that is set right
 * makes the last measurement as wrong as the clock was.
 */
const MEASURE_EVERY_MS = 30_000;
/** Beyond this the machine's clock is worth a word. */
const SKEW_WARN_MS = 1_000;
/** A wrong clock that nobody sets is mentioned again after this long, not at every measurement. */
const SKEW_REMIND_MS = 600_000;

/** A change of the offset beyond this is asked about twice. */
const JUMP_MS = 2_000;
/** The second question comes after this long; a clock that runs has moved on by then. */
const CONFIRM_AFTER_MS = 1_200;

export class ExchangeClock {
  readonly #exchange: RestExchange;
  readonly #clock: Clock;
  readonly #log: Log;
  #offsetMs = 0;
  #measuredMs = -Infinity;
  #warnedMs = -Infinity;

  constructor({ exchange, clock, log }: { exchange: RestExchange; clock: Clock; log: Log }) {
    this.#exchange = exchange;
    this.#clock = clock;
    this.#log = log;
  }

  /** Epoch ms by the exchange's clock, as far as the last measurement tells. */
  nowMs(): number {
    return Math.floor(this.#clock.nowMs() + this.#offsetMs);
  }

  /** How far the exchange's clock is ahead of ours, ms. */
  get offsetMs(): number {
    return this.#offsetMs;
  }

  /** Measures the offset unless it was measured a short while ago. Throws what the exchange throws. */
  async keepMeasured(signal: AbortSignal): Promise<void> {
    const sinceMs = this.#clock.nowMs() - this.#measuredMs;
    // Below zero when our clock was set back.
    if (sinceMs >= 0 && sinceMs < MEASURE_EVERY_MS) return;
    const first = await this.#sample(signal);
    let { offsetMs, receivedMs } = first;
    if (Math.abs(offsetMs - this.#offsetMs) > JUMP_MS) {
      // Somebody's clock was set, or the answer is wrong: one sample is not believed, and of two the earlier time is.
      await this.#clock.sleep(CONFIRM_AFTER_MS, signal);
      const second = await this.#sample(signal);
      if (second.serverMs - first.serverMs < CONFIRM_AFTER_MS / 2) this.#warnOfStandstill(second.serverMs);
      offsetMs = Math.min(offsetMs, second.offsetMs);
      receivedMs = second.receivedMs;
    }
    this.#offsetMs = offsetMs;
    this.#measuredMs = receivedMs;
    if (Math.abs(this.#offsetMs) <= SKEW_WARN_MS || Math.abs(receivedMs - this.#warnedMs) < SKEW_REMIND_MS)
      return;
    this.#warnedMs = receivedMs;
    const direction = this.#offsetMs > 0 ? "behind" : "ahead of";
    this.#log.warn(
      `this machine's clock is ${formatDuration(Math.abs(this.#offsetMs))} ${direction} that of ${this.#exchange.id}: candles are judged by the exchange's; set the clock (NTP)`,
    );
  }

  #warnOfStandstill(serverMs: number): void {
    this.#log.warn(
      `${this.#exchange.id}: its clock stands still at ${formatTime(serverMs)}: nothing closes after that; is a cache in between?`,
    );
  }

  /** The offset as if the answer had been made at its arrival: late at worst, so that no candle counts as closed early. */
  async #sample(signal: AbortSignal): Promise<{ serverMs: number; receivedMs: number; offsetMs: number }> {
    const serverMs = await this.#exchange.fetchServerTime(signal);
    const receivedMs = this.#clock.nowMs();
    return { serverMs, receivedMs, offsetMs: serverMs - receivedMs };
  }
}
