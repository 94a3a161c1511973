// Keeps us from hammering a host that does not work. In: attempts and what became of them. Out: permission to ask, or
// the fault that opened the circuit, at once.
import type { Clock } from "../clock.js";
import { classifyError, TickwellError, type Fault, type FaultKind } from "../fault.js";
import { formatTime } from "../time.js";

export interface CircuitBreakerOptions {
  /** Whom the messages are about: `okx: www.okx.com`. */
  readonly subject: string;
  readonly clock: Clock;
  /** Failed attempts in a row that open the circuit. */
  readonly failuresMax: number;
  /** The first pause; each further one doubles. */
  readonly pauseMs?: number;
  readonly pauseMaxMs?: number;
}

const PAUSE_MS = 5_000;
const PAUSE_MAX_MS = 300_000;

/**
 * The faults that say something about the host. A refusal such as an unknown symbol or too quick a pace is the answer of
 * a host that works.
 */
const HOST_FAULTS: ReadonlySet<FaultKind> = new Set([
  "network",
  "timeout",
  "exchange",
  "maintenance",
  "malformed_payload",
]);

/**
 * Closed: attempts pass, and failures in a row are counted. After `failuresMax` of them it is open: nothing passes until
 * the pause is over. Then one attempt passes as a probe, and the others are held back until its end: an answer closes
 * the circuit, a failure opens it again for twice as long. A probe that is aborted tells nothing; the next one may try.
 */
export class CircuitBreaker {
  readonly #subject: string;
  readonly #clock: Clock;
  readonly #failuresMax: number;
  readonly #firstPauseMs: number;
  readonly #pauseMaxMs: number;
  #failures = 0;
  /** The fault and the pause of the open circuit; undefined while it is closed. */
  #open:
    | { readonly fault: Fault; readonly pauseMs: number; readonly beganMs: number; readonly untilMs: number }
    | undefined;
  #isProbing = false;

  constructor(options: CircuitBreakerOptions) {
    this.#subject = options.subject;
    this.#clock = options.clock;
    this.#failuresMax = options.failuresMax;
    this.#firstPauseMs = options.pauseMs ?? PAUSE_MS;
    this.#pauseMaxMs = options.pauseMaxMs ?? PAUSE_MAX_MS;
  }

  /** True when the last attempt failed. */
  get hasFailed(): boolean {
    return this.#failures > 0;
  }

  /** @throws TickwellError of the kind that opened the circuit, when an attempt would not pass now */
  check(): void {
    const open = this.#open;
    if (open === undefined) return;
    const nowMs = this.#clock.nowMs();
    // A clock that shows a time before the pause was set back. What is left is unknown, and a probe tells.
    const isPaused = nowMs >= open.beganMs && nowMs < open.untilMs;
    if (!isPaused && !this.#isProbing) return;
    const until = isPaused ? formatTime(open.untilMs) : "the request that tries it again is answered";
    throw new TickwellError(
      open.fault,
      `${this.#subject} failed ${this.#failures} times in a row (${open.fault.kind}); nothing is asked until ${until}`,
    );
  }

  /**
   * Makes one attempt, if it passes, and learns from its end.
   * @throws what {@link CircuitBreaker.check} and `attempt` throw
   */
  async run<T>(attempt: () => Promise<T>): Promise<T> {
    this.check();
    const isProbe = this.#open !== undefined;
    if (isProbe) this.#isProbing = true;
    try {
      const result = await attempt();
      this.#close();
      return result;
    } catch (error) {
      this.#learn(error, isProbe);
      throw error;
    } finally {
      if (isProbe) this.#isProbing = false;
    }
  }

  /**
   * Makes an attempt whether or not it would pass, and learns from its end.
   * @throws what `attempt` throws
   */
  async observe<T>(attempt: () => Promise<T>): Promise<T> {
    try {
      const result = await attempt();
      this.#close();
      return result;
    } catch (error) {
      this.#learn(error, false);
      throw error;
    }
  }

  #learn(error: unknown, isProbe: boolean): void {
    // An abort and a mistake of ours say nothing about the host.
    if (!(error instanceof TickwellError)) return;
    const fault = classifyError(error);
    if (!HOST_FAULTS.has(fault.kind)) {
      this.#close();
      return;
    }
    // Attempts that left before it opened say nothing new.
    if (this.#open !== undefined && !isProbe) return;
    this.#failures++;
    if (this.#open !== undefined) this.#openFor(fault, Math.min(this.#open.pauseMs * 2, this.#pauseMaxMs));
    else if (this.#failures >= this.#failuresMax) this.#openFor(fault, this.#firstPauseMs);
  }

  #openFor(fault: Fault, pauseMs: number): void {
    const beganMs = this.#clock.nowMs();
    this.#open = { fault, pauseMs, beganMs, untilMs: beganMs + pauseMs };
  }

  #close(): void {
    this.#failures = 0;
    this.#open = undefined;
  }
}
