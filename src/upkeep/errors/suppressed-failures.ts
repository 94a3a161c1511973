// Counts failures that cannot be written one by one, so that the log still says how many there were of each class.
import type { FaultKind } from "../../core/fault.js";
import type { RequestFailure } from "../../exchanges/exchange.js";
import type { ErrorRecord } from "../../store/error-records.js";
import { toErrorRecord } from "./error-record.js";

interface Count {
  readonly exchange: string;
  readonly endpoint: string;
  readonly kind: FaultKind;
  last: RequestFailure;
  failures: number;
}

/** Endpoints and classes counted apart; the rest is counted by exchange and class, of which there are few. */
const ENDPOINTS_MAX = 200;
const OTHER_ENDPOINTS = "*";

export class SuppressedFailures {
  readonly #counts = new Map<string, Count>();

  /** How many failures are counted at the moment. */
  get failures(): number {
    let sum = 0;
    for (const count of this.#counts.values()) sum += count.failures;
    return sum;
  }

  count(failure: RequestFailure): void {
    const { exchange, endpoint, fault } = failure;
    const own = keyOf({ exchange, endpoint, kind: fault.kind });
    const isApart = this.#counts.has(own) || this.#counts.size < ENDPOINTS_MAX;
    const group = { exchange, endpoint: isApart ? endpoint : OTHER_ENDPOINTS, kind: fault.kind };
    const count = this.#counts.get(keyOf(group)) ?? { ...group, last: failure, failures: 0 };
    count.last = failure;
    count.failures++;
    this.#counts.set(keyOf(group), count);
  }

  /** One summary row for each class. They stay counted until {@link SuppressedFailures.forget}. */
  rows(): readonly ErrorRecord[] {
    return [...this.#counts.values()].map(({ endpoint, last, failures }) => {
      const record = toErrorRecord(last);
      const message = `${failures} more came faster than they could be written; the last one: ${record.message}`;
      // Of several markets and requests: what the last one was about does not stand for all of them.
      return {
        ...record,
        endpoint,
        message,
        nativeSymbol: undefined,
        params: {},
        attempt: 1,
        suppressed: failures,
      };
    });
  }

  /** Forgets rows that have been written; what was counted since stays. */
  forget(written: readonly ErrorRecord[]): void {
    for (const row of written) {
      const count = this.#counts.get(keyOf(row));
      if (!count) continue;
      count.failures -= row.suppressed;
      if (count.failures <= 0) this.#counts.delete(keyOf(row));
    }
  }
}

function keyOf({ exchange, endpoint, kind }: Pick<Count, "exchange" | "endpoint" | "kind">): string {
  return JSON.stringify([exchange, endpoint, kind]);
}
