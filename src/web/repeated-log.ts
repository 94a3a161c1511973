// Mentions what happens again and again once, and then how often it has happened since: a thousand refused clients are one
// line, not a thousand.
import type { Clock } from "../core/clock.js";
import type { Log } from "../core/log.js";

const AGAIN_AFTER_MS = 60_000;

export class RepeatedLog {
  readonly #log: Pick<Log, "warn">;
  readonly #clock: Clock;
  readonly #told = new Map<string, { sinceMs: number; suppressed: number }>();

  constructor({ log, clock }: { log: Pick<Log, "warn">; clock: Clock }) {
    this.#log = log;
    this.#clock = clock;
  }

  /** @param kind one of a handful, never made of what a caller sent */
  warn(kind: string, detail: string): void {
    const nowMs = this.#clock.nowMs();
    const told = this.#told.get(kind);
    if (told && nowMs - told.sinceMs < AGAIN_AFTER_MS) {
      told.suppressed++;
      return;
    }
    const before = told && told.suppressed > 0 ? `; ${told.suppressed} more since this was said last` : "";
    this.#told.set(kind, { sinceMs: nowMs, suppressed: 0 });
    this.#log.warn(`http: ${kind}: ${detail}${before}`);
  }
}
