// Waiting for a condition that other code brings about: `wait` until `notify`, or until the signal is aborted.

/** Wakes everyone who waits; each waiter looks for itself whether its condition holds. */
export class SignalEvent {
  readonly #waiters = new Set<() => void>();

  /** Resolves at the next `notify`; rejects with the signal's reason. */
  wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        reject(asError(signal.reason));
        return;
      }
      const wake = (): void => {
        signal.removeEventListener("abort", abort);
        resolve();
      };
      const abort = (): void => {
        this.#waiters.delete(wake);
        reject(asError(signal.reason));
      };
      signal.addEventListener("abort", abort, { once: true });
      this.#waiters.add(wake);
    });
  }

  notify(): void {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const wake of waiters) wake();
  }
}

function asError(reason: unknown): Error {
  return reason instanceof Error ? reason : new Error(String(reason));
}
