// Waiting for a condition that other code brings about: `wait` until `notify`, or until the signal is aborted.
import { onAbort } from "./net/abort.js";

/** Wakes everyone who waits; each waiter looks for itself whether its condition holds. */
export class SignalEvent {
  readonly #waiters = new Set<() => void>();

  /** Resolves at the next `notify`; rejects with the signal's reason. */
  wait(signal: AbortSignal): Promise<void> {
    return new Promise((resolve, reject) => {
      if (signal.aborted) {
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the caller's own reason, as it is
        reject(signal.reason);
        return;
      }
      const wake = (): void => {
        stopListening();
        resolve();
      };
      const stopListening = onAbort(signal, (reason) => {
        this.#waiters.delete(wake);
        // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- as above
        reject(reason);
      });
      this.#waiters.add(wake);
    });
  }

  notify(): void {
    const waiters = [...this.#waiters];
    this.#waiters.clear();
    for (const wake of waiters) wake();
  }
}
