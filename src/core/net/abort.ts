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
