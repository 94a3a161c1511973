// A time in which nothing may be asked, measured on a clock that can be set. In: until when. Out: its end, as long as it
// lasts.

/**
 * A clock that shows a time before the pause began was set back. How much of the pause was over is then unknown, and it
 * begins anew: it is never cut short, and lasts no longer than its own length from there.
 */
export class Pause {
  #beganMs = 0;
  #endMs = Number.NEGATIVE_INFINITY;

  /** The later of two ends holds. Both epoch ms of our clock. */
  extend({ nowMs, untilMs }: { readonly nowMs: number; readonly untilMs: number }): void {
    if ((this.endMs(nowMs) ?? nowMs) >= untilMs) return;
    this.#beganMs = nowMs;
    this.#endMs = untilMs;
  }

  /** Epoch ms of our clock, above `nowMs`; undefined when there is no pause now. */
  endMs(nowMs: number): number | undefined {
    if (nowMs < this.#beganMs) {
      this.#endMs -= this.#beganMs - nowMs;
      this.#beganMs = nowMs;
    }
    if (nowMs < this.#endMs) return this.#endMs;
    // What is over stays over, also when the clock is set back behind it.
    this.#endMs = Number.NEGATIVE_INFINITY;
    return undefined;
  }
}
