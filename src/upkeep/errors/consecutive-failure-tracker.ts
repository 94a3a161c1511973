// Tells trouble from bad luck: counts failed requests in a row by exchange, endpoint and market. In: failures and
// successes. Out: one change when a row gets long, and one when it ends. No I/O, no clock: times come with the requests.
import type { Fault } from "../../core/fault.js";
import { FAULT_POLICY } from "../../core/retry.js";
import type { RequestFailure, RequestSuccess } from "../../exchanges/exchange.js";

/** The beginning or the end of a trouble. */
export interface FailureChange {
  readonly status: "trouble" | "recovered";
  /** Of exchange, endpoint and market: the same in every run. */
  readonly key: string;
  readonly exchange: string;
  readonly endpoint: string;
  /** Undefined where the endpoint is not about one market. */
  readonly nativeSymbol: string | undefined;
  /** Failures in a row so far; undefined when they happened in an earlier run. */
  readonly failures: number | undefined;
  /** When the first of them happened, epoch ms; undefined when that was in an earlier run. */
  readonly sinceMs: number | undefined;
  readonly atMs: number;
  /** The last failure; undefined when it happened in an earlier run. */
  readonly last: { readonly fault: Fault; readonly message: string } | undefined;
}

export interface ConsecutiveFailureTrackerOptions {
  /** Failures in a row that are a trouble. */
  readonly threshold: number;
  /** Called from `failed` and `succeeded`. Must not throw. */
  readonly onChange: (change: FailureChange) => void;
  /** Rows counted at once; beyond it the one that failed longest ago is forgotten, troubles last. */
  readonly keysMax?: number;
}

/** Exchanges list some thousand markets. */
const KEYS_MAX = 10_000;

interface Row {
  failures: number | undefined;
  sinceMs: number | undefined;
  last: { fault: Fault; message: string } | undefined;
  isTrouble: boolean;
}

/**
 * Only a request that is given up counts, not its attempts, and only a fault that {@link FAULT_POLICY} counts. A row
 * is a trouble from `threshold` on; a market the exchange does not know (delisted, renamed) at once. What is not counted
 * does not end a row either: a success does.
 */
export class ConsecutiveFailureTracker {
  readonly #options: Required<ConsecutiveFailureTrackerOptions>;
  /** In the order of their last failure. Rows end by being deleted: what works costs nothing. */
  readonly #rows = new Map<string, Row>();

  constructor(options: ConsecutiveFailureTrackerOptions) {
    this.#options = { keysMax: KEYS_MAX, ...options };
  }

  /** Keys in trouble. */
  get troubles(): readonly string[] {
    return [...this.#rows].filter(([, row]) => row.isTrouble).map(([key]) => key);
  }

  failed(failure: RequestFailure): void {
    const { fault, message, atMs } = failure;
    if (failure.willRetryInMs !== undefined || !FAULT_POLICY[fault.kind].countsAsFailure) return;
    const key = keyOf(failure);
    const row = this.#rows.get(key) ?? { failures: 0, sinceMs: atMs, last: undefined, isTrouble: false };
    if (row.failures !== undefined) row.failures++;
    row.last = { fault, message };
    this.#rows.delete(key);
    this.#rows.set(key, row);
    const isUnknownMarket = fault.kind === "bad_symbol" && failure.nativeSymbol !== undefined;
    const isLong = (row.failures ?? 0) >= this.#options.threshold;
    if (!row.isTrouble && (isLong || isUnknownMarket)) {
      row.isTrouble = true;
      this.#tell("trouble", failure, row);
    }
    if (this.#rows.size > this.#options.keysMax) this.#forgetOne();
  }

  succeeded(success: RequestSuccess): void {
    // Most requests succeed: while nothing fails, no key is made.
    if (this.#rows.size === 0) return;
    const key = keyOf(success);
    const row = this.#rows.get(key);
    if (!row) return;
    this.#rows.delete(key);
    if (row.isTrouble) this.#tell("recovered", success, row);
  }

  /** Takes up a trouble of an earlier run: it is not told again, its end is. */
  restore(key: string): void {
    if (this.#rows.has(key) || this.#rows.size >= this.#options.keysMax) return;
    this.#rows.set(key, { failures: undefined, sinceMs: undefined, last: undefined, isTrouble: true });
  }

  #tell(status: FailureChange["status"], request: RequestFailure | RequestSuccess, row: Row): void {
    const { exchange, endpoint, nativeSymbol, atMs } = request;
    const { failures, sinceMs, last } = row;
    const key = keyOf(request);
    this.#options.onChange({ status, key, exchange, endpoint, nativeSymbol, failures, sinceMs, atMs, last });
  }

  #forgetOne(): void {
    for (const [key, row] of this.#rows) {
      if (row.isTrouble) continue;
      this.#rows.delete(key);
      return;
    }
    const [oldest] = this.#rows.keys();
    if (oldest !== undefined) this.#rows.delete(oldest);
  }
}

/** `binance /api/v3/klines BTCUSDT` */
function keyOf({ exchange, endpoint, nativeSymbol }: RequestFailure | RequestSuccess): string {
  return nativeSymbol === undefined ? `${exchange} ${endpoint}` : `${exchange} ${endpoint} ${nativeSymbol}`;
}
