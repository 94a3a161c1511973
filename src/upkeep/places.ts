// Places for work of which some may hang. In: work, and signs that it moves. Out: whether its place may go to another.
import type { Clock } from "../core/clock.js";

/** Work that does not move for so long hangs; what comes after it need not wait. Real time: a socket knows no other. */
const HANGS_AFTER_MS = 2_000;

/**
 * Waits for work as long as it moves.
 * @param movedMs when it moved last, by `timer`
 * @returns false when it hangs, and goes on alone
 * @throws what `work` throws
 */
export async function doneWhileMoving(
  work: Promise<unknown>,
  { movedMs, timer }: { movedMs: () => number; timer: Clock },
): Promise<boolean> {
  const over = new AbortController();
  const done = work.then(() => true as const).finally(() => over.abort());
  const hangs = async (): Promise<false> => {
    for (let leftMs = HANGS_AFTER_MS; leftMs > 0; leftMs = movedMs() + HANGS_AFTER_MS - timer.nowMs())
      await timer.sleep(leftMs, over.signal);
    return false;
  };
  // Ended by `over`, it has lost the race already.
  return Promise.race([done, hangs().catch(() => done)]);
}
