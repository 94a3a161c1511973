// Which of the times that events carry are believed. The exchange's own are, for as long as they fit its clock as we reckon it; that
// reckoning is wrong for up to half a minute after our machine's clock was set, and a single event may carry any time.
//
// 1. A time of the last ten minutes is believed: events come late. One ahead of the clock, by more than clocks differ, claims time
//    that has not come.
// 2. Events off the clock that go on among each other, each later than the one before by a little, show that it is the clock that is
//    off: from the third one on they are believed.
// 3. A time off by more than a day is none; so is every time of a stream that never agrees with itself. Ours is taken then.

/** Later than this an event does not come. */
const LATE_MAX_MS = 600_000;
/** Two clocks that are measured differ by milliseconds. */
const AHEAD_MAX_MS = 2_000;
/** No clock is set by as much. */
const OFF_MAX_MS = 86_400_000;
/** Between two events of a stream that goes on. */
const STEP_MAX_MS = 60_000;
const CONFIRMED_BY = 3;
/** Events off the clock and never in step: their times mean nothing. */
const CONFUSED_AFTER = 100;

export class EventTimes {
  /** The last event that was off the clock, and how many in a row went on from one to the next. */
  #off: { timeMs: number; inStep: number; seen: number } | undefined;

  /**
   * @param timeMs the event's own time, epoch ms; undefined where it has none
   * @param exchangeNowMs the exchange's clock as we reckon it, epoch ms
   * @returns the time to take it for; undefined while that is not known
   */
  believe(timeMs: number | undefined, exchangeNowMs: number): number | undefined {
    if (timeMs === undefined || Math.abs(timeMs - exchangeNowMs) > OFF_MAX_MS) return exchangeNowMs;
    if (timeMs >= exchangeNowMs - LATE_MAX_MS && timeMs <= exchangeNowMs + AHEAD_MAX_MS) {
      this.#off = undefined;
      return timeMs;
    }
    const before = this.#off;
    const stepMs = before ? timeMs - before.timeMs : NaN;
    const inStep = before
      ? stepMs === 0
        ? before.inStep
        : stepMs > 0 && stepMs <= STEP_MAX_MS
          ? before.inStep + 1
          : 1
      : 1;
    const seen = (before?.seen ?? 0) + 1;
    this.#off = { timeMs, inStep, seen };
    if (inStep >= CONFIRMED_BY) return timeMs;
    return seen > CONFUSED_AFTER ? exchangeNowMs : undefined;
  }
}
