// Brings messages to one notifier, one after the other, in the background. A notifier that fails is tried again, then
// given up for this message; that is logged once, and again when it works.
import type { Clock } from "../../core/clock.js";
import { describeError, TickwellError } from "../../core/fault.js";
import type { Log } from "../../core/log.js";
import { untilAborted } from "../../core/net/abort.js";
import type { Random } from "../../core/random.js";
import { retryWithBackoff, type RetryLimits } from "../../core/retry.js";
import type { AlertMessage, Notifier } from "./alert-message.js";

export interface DeliveryOptions {
  readonly notifier: Notifier;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly retry: RetryLimits;
  /** For one attempt, real time. */
  readonly timeoutMs: number;
  /** Messages that wait at most; a further one displaces the oldest. */
  readonly queueMax: number;
  readonly onDelivered: (message: AlertMessage) => void;
}

export class Delivery {
  readonly #options: DeliveryOptions;
  readonly #closing = new AbortController();
  readonly #queue: AlertMessage[] = [];
  /** Troubles this notifier was not told of: it is not told of their end either. */
  readonly #missed = new Set<string>();
  #working: Promise<void> | undefined;
  #delivered = 0;
  #failed = 0;
  #lost = 0;
  #isFailing = false;

  constructor(options: DeliveryOptions) {
    this.#options = options;
  }

  get name(): string {
    return this.#options.notifier.name;
  }

  /** Messages the notifier has taken since the beginning. */
  get delivered(): number {
    return this.#delivered;
  }

  /** Messages that were given up. */
  get failed(): number {
    return this.#failed;
  }

  send(message: AlertMessage): void {
    if (this.#closing.signal.aborted) return;
    if (this.#queue.length >= this.#options.queueMax) {
      const oldest = this.#queue.shift();
      if (oldest) this.#lose(oldest);
    }
    this.#queue.push(message);
    this.#working ??= this.#work();
  }

  /** Resolves when nothing waits or is under way. @throws the signal's reason */
  async idle(signal: AbortSignal): Promise<void> {
    while (this.#working) await untilAborted(this.#working, signal);
  }

  /** Ends what is under way; what waits is not delivered. */
  async close(): Promise<void> {
    this.#closing.abort();
    await this.#working;
  }

  async #work(): Promise<void> {
    // One turn later: until then `#working` is not set.
    await Promise.resolve();
    for (let message = this.#queue.shift(); message; message = this.#queue.shift()) {
      if (this.#closing.signal.aborted) break;
      if (!this.#isNews(message)) continue;
      await this.#deliver(message);
    }
    this.#working = undefined;
  }

  /** False for the end of troubles this notifier has not heard of. */
  #isNews({ status, keys }: AlertMessage): boolean {
    if (status === "trouble") return true;
    const isNews = keys.some((key) => !this.#missed.has(key));
    for (const key of keys) this.#missed.delete(key);
    return isNews;
  }

  async #deliver(message: AlertMessage): Promise<void> {
    const { notifier, log, clock, random, retry, onDelivered } = this.#options;
    const { signal } = this.#closing;
    try {
      await retryWithBackoff(() => this.#attempt(message), { ...retry, clock, random, signal });
    } catch (error) {
      if (signal.aborted) return;
      this.#lose(message);
      if (!this.#isFailing)
        log.error(
          `alerts: ${notifier.name} did not take a message: ${describeError(error)}; this is said once until it works again`,
        );
      this.#isFailing = true;
      return;
    }
    if (this.#isFailing)
      log.info(
        `alerts: ${notifier.name} works again; ${this.#lost} ${this.#lost === 1 ? "message" : "messages"} did not get through`,
      );
    this.#isFailing = false;
    this.#lost = 0;
    this.#delivered++;
    for (const key of message.keys) this.#missed.delete(key);
    onDelivered(message);
  }

  /** A notifier that does not heed its signal is left behind. */
  async #attempt(message: AlertMessage): Promise<void> {
    const { notifier, timeoutMs } = this.#options;
    const timeout = AbortSignal.timeout(timeoutMs);
    const signal = AbortSignal.any([timeout, this.#closing.signal]);
    try {
      await untilAborted(notifier.notify(message, signal), signal);
    } catch (error) {
      if (!timeout.aborted || this.#closing.signal.aborted) throw error;
      throw new TickwellError(
        { kind: "timeout", timeoutMs },
        `${notifier.name} did not end within ${timeoutMs} ms`,
      );
    }
  }

  #lose({ status, keys }: AlertMessage): void {
    this.#lost++;
    this.#failed++;
    for (const key of keys) {
      if (status === "trouble") this.#missed.add(key);
      else this.#missed.delete(key);
    }
  }
}
