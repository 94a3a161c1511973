// Waits for a condition that no event tells: another process's doing, a row in a database.
import { systemClock } from "../../src/core/clock.js";

const POLL_MS = 20;
const TIMEOUT_MS = 60_000;

/** Polls until it holds. @throws naming what did not happen in time */
export async function until(
  isTrue: () => boolean | Promise<boolean>,
  options: { readonly timeoutMs?: number | undefined; readonly what?: () => string } = {},
): Promise<void> {
  const timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
  const deadlineMs = systemClock.nowMs() + timeoutMs;
  while (!(await isTrue())) {
    if (systemClock.nowMs() > deadlineMs) {
      throw new Error(`did not happen within ${timeoutMs} ms: ${options.what?.() ?? isTrue.toString()}`);
    }
    await systemClock.sleep(POLL_MS);
  }
}
