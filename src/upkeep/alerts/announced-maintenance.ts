// What exchanges announce of their own maintenance: asked for now and then, so that nobody is woken by what was announced.
import type { Clock } from "../../core/clock.js";
import { describeError } from "../../core/fault.js";
import type { Log } from "../../core/log.js";
import type { TimeRange } from "../../core/range.js";
import { formatTime } from "../../core/time.js";
import type { RestExchange } from "../../exchanges/exchange.js";
import type { Alerts } from "./alerts.js";

export interface AnnouncedMaintenanceOptions {
  readonly venues: () => Iterable<Pick<RestExchange, "id" | "fetchMaintenance">>;
  readonly alerts: Pick<Alerts, "announce">;
  readonly clock: Clock;
  readonly log: Log;
}

/** No announcement silences alerts for longer: a forgotten one must not hide a dead feed for days. */
const HEEDED_MS_MAX = 12 * 3_600_000;

export class AnnouncedMaintenance {
  readonly #options: AnnouncedMaintenanceOptions;
  /** What has been mentioned, as its text. */
  readonly #told = new Set<string>();

  constructor(options: AnnouncedMaintenanceOptions) {
    this.#options = options;
  }

  /** Asks every exchange that announces; one that does not answer keeps what it said before. @throws the signal's reason */
  async look(signal: AbortSignal): Promise<void> {
    const { venues, alerts, log } = this.#options;
    for (const venue of venues()) {
      if (venue.fetchMaintenance === undefined) continue;
      try {
        const windows = (await venue.fetchMaintenance(signal)).map(shorten);
        for (const window of windows) this.#tell(venue.id, window);
        alerts.announce(venue.id, windows);
      } catch (error) {
        signal.throwIfAborted();
        log.debug(`${venue.id}: its announcements could not be read: ${describeError(error)}`);
      }
    }
  }

  #tell(exchange: string, { startMs, endMs }: TimeRange): void {
    const words = `${exchange} announces maintenance from ${formatTime(startMs)} to ${formatTime(endMs)}: alerts about it wait for its end`;
    if (endMs <= this.#options.clock.nowMs() || this.#told.has(words)) return;
    this.#told.add(words);
    this.#options.log.info(words);
  }
}

function shorten({ startMs, endMs }: TimeRange): TimeRange {
  return { startMs, endMs: Math.min(endMs, startMs + HEEDED_MS_MAX) };
}
