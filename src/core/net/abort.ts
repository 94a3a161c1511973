// Listening to an AbortSignal without leaking: every listener is taken off again, and many waits may share one signal.
import { setMaxListeners } from "node:events";

/**
 * Calls `listener` once when `signal` is aborted; the signal must not be aborted yet.
 * @returns takes the listener off again
 */
export function onAbort(signal: AbortSignal, listener: (reason: unknown) => void): () => void {
  const handle = (): void => listener(signal.reason);
  // One signal stops a whole run, so hundreds of waits share it: Node's warning at eleven listeners is no sign of a leak.
  setMaxListeners(0, signal);
  signal.addEventListener("abort", handle, { once: true });
  return () => signal.removeEventListener("abort", handle);
}

/** Waits for work that may not heed `signal` in time; on an abort the work goes on unattended, and its end is ignored. */
export async function untilAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  let stopListening = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- the caller's own reason, as it is
    if (signal.aborted) reject(signal.reason);
    // eslint-disable-next-line @typescript-eslint/prefer-promise-reject-errors -- as above
    else stopListening = onAbort(signal, (reason) => reject(reason));
  });
  try {
    return await Promise.race([aborted, work]);
  } finally {
    stopListening();
  }
}
