// What to do about a failed operation: one table for every kind of fault, one function that decides, one that does it.
// See docs/decisions/0004-retry.md for why this is ours.
import type { Clock } from "./clock.js";
import { classifyError, type Fault, type FaultKind } from "./fault.js";
import type { Random } from "./random.js";

export interface FaultPolicy {
  readonly isRetried: boolean;
  /**
   * The least wait before the next attempt; jittered backoff is always added.
   * `backoff`: none. `retry_after`: what the exchange asked for. `ban_end`: until the ban is over.
   */
  readonly delay: "backoff" | "retry_after" | "ban_end" | "none";
  /** Whether it counts towards the consecutive-failure alert. */
  readonly countsAsFailure: boolean;
}

const BACKOFF = { isRetried: true, delay: "backoff", countsAsFailure: true } as const;
const HOPELESS = { isRetried: false, delay: "none", countsAsFailure: true } as const;

/** Every kind of fault, with the reason beside it. */
export const FAULT_POLICY = {
  network: BACKOFF, // a connection that broke says nothing about the next one
  timeout: BACKOFF, // load passes
  rate_limit: { isRetried: true, delay: "retry_after", countsAsFailure: false }, // our pace, and waiting is the whole cure
  ip_ban: { isRetried: true, delay: "ban_end", countsAsFailure: true }, // asking earlier lengthens it
  geo_blocked: HOPELESS, // the place does not change; another host is the remedy, and the user's to choose
  maintenance: BACKOFF, // ends by itself; a long one is left to the next cycle
  exchange: BACKOFF, // 5xx and internal codes are the exchange's own trouble
  bad_request: HOPELESS, // the same question gets the same answer
  bad_symbol: HOPELESS, // listed wrongly in the config, or delisted
  auth: HOPELESS, // public data needs no key, so the host is the wrong one
  malformed_payload: BACKOFF, // most are answers cut or replaced by something on the way
  validation: HOPELESS, // bad data is a verdict, and what follows is the user's setting
  database: BACKOFF, // only where the fault says so: a lost connection yes, a broken constraint no
  stage: BACKOFF, // full or away; it drains or comes back
  config: { isRetried: false, delay: "none", countsAsFailure: false }, // nothing has started yet
  internal: HOPELESS, // a mistake of ours; repeating it hides it
} as const satisfies Record<FaultKind, FaultPolicy>;

export interface RetryLimits {
  /** Attempts in all, the first one included. */
  readonly attempts: number;
  /** The first backoff's upper bound; each further one doubles. */
  readonly baseDelayMs: number;
  /** The backoff's upper bound. What an exchange asks for is waited out even if it is longer. */
  readonly maxDelayMs: number;
}

export type RetryPlan = { readonly do: "retry"; readonly delayMs: number } | { readonly do: "give_up" };

/**
 * Decides what follows a failed attempt.
 * @param attempt the attempt that failed, counted from 1
 * @returns a delay never shorter than the exchange's Retry-After or its ban
 */
export function planRetry(
  fault: Fault,
  attempt: number,
  options: RetryLimits & { readonly random: Random; readonly nowMs: number },
): RetryPlan {
  if (attempt >= options.attempts || !isRetried(fault)) return { do: "give_up" };
  // Full jitter: any value up to the bound, so that clients that failed together do not return together.
  const boundMs = Math.min(options.maxDelayMs, options.baseDelayMs * 2 ** (attempt - 1));
  const jitterMs = Math.round(options.random.next() * boundMs);
  return { do: "retry", delayMs: Math.ceil(leastDelayMs(fault, options.nowMs)) + jitterMs };
}

/** True when another attempt at the same operation can succeed. */
export function isRetried(fault: Fault): boolean {
  if (fault.kind === "database") return fault.isTransient;
  return FAULT_POLICY[fault.kind].isRetried;
}

function leastDelayMs(fault: Fault, nowMs: number): number {
  if (fault.kind === "rate_limit") return Math.max(fault.retryAfterMs ?? 0, 0);
  if (fault.kind === "ip_ban") return Math.max(fault.untilMs - nowMs, 0);
  return 0;
}

export interface RetryOptions extends RetryLimits {
  readonly clock: Clock;
  readonly random: Random;
  /** Ends the wait at once; the operation has to heed it by itself. */
  readonly signal: AbortSignal;
  /** Called before each wait. */
  readonly onRetry?: (retry: { error: unknown; fault: Fault; attempt: number; delayMs: number }) => void;
  /** Faults to hand to the caller although the table would retry them. */
  readonly isFinal?: (fault: Fault) => boolean;
}

/**
 * Runs `operation` until it succeeds, cannot succeed, or has had its attempts.
 * @param operation is given the attempt's number, counted from 1
 * @throws what the last attempt threw; the signal's reason when it is aborted
 */
export async function retryWithBackoff<T>(
  operation: (attempt: number) => Promise<T>,
  options: RetryOptions,
): Promise<T> {
  const { clock, signal } = options;
  for (let attempt = 1; ; attempt++) {
    signal.throwIfAborted();
    try {
      return await operation(attempt);
    } catch (error) {
      signal.throwIfAborted();
      const fault = classifyError(error);
      if (options.isFinal?.(fault)) throw error;
      const plan = planRetry(fault, attempt, { ...options, nowMs: clock.nowMs() });
      if (plan.do === "give_up") throw error;
      options.onRetry?.({ error, fault, attempt, delayMs: plan.delayMs });
      await clock.sleep(plan.delayMs, signal);
    }
  }
}
