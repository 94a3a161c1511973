// Keeps the store's record of alerts in step with ours, whether the database is there or not. In: keys that changed. Out:
// saved changes; while the database is away they are kept, one net change a key, so that memory stays bounded.
import type { Clock } from "../../core/clock.js";
import { describeError } from "../../core/fault.js";
import type { Log } from "../../core/log.js";
import { untilAborted } from "../../core/net/abort.js";
import type { AlertChange, AlertResolution, OpenAlert } from "../../store/alert-records.js";
import type { Store } from "../../store/store.js";
import type { Trouble } from "./trouble.js";

export interface AlertJournalOptions {
  readonly store: Pick<Store, "alerts">;
  readonly clock: Clock;
  readonly log: Log;
  /** The trouble of a key, if there is one now. */
  readonly troubleOf: (key: string) => Trouble | undefined;
  /** Of each key whose trouble somebody has been told of. */
  readonly onNotified: (key: string, notifiedMs: number) => void;
}

const CHANGES_MAX = 500;
const RETRY_MS = 5_000;
/** A database that does not answer must not hold up the alert that says so. Real time: it is a socket's. */
const PATIENCE_MS = 5_000;

export class AlertJournal {
  readonly #options: AlertJournalOptions;
  /** Keys to save, each with the end of what was open before, if it has ended. */
  #unsaved = new Map<string, AlertResolution | undefined>();
  #dueMs = Infinity;
  #working: Promise<void> | undefined;
  #isLoaded = false;
  #isFailing = false;

  constructor(options: AlertJournalOptions) {
    this.#options = options;
  }

  /** True when what earlier runs left is known. */
  get isLoaded(): boolean {
    return this.#isLoaded;
  }

  /** When there is something to do, epoch ms; Infinity when there is nothing. */
  get dueMs(): number {
    return this.#dueMs;
  }

  /** Notes that a key has changed. @param change.withinMs how long that may wait to be saved */
  note(
    key: string,
    { resolution, withinMs = 0 }: { resolution?: AlertResolution; withinMs?: number } = {},
  ): void {
    this.#unsaved.set(key, resolution ?? this.#unsaved.get(key));
    this.#dueMs = Math.min(this.#dueMs, this.#options.clock.nowMs() + withinMs);
  }

  /** Reads what is open. Never rejects; undefined when the database is away, and later again. */
  async load(): Promise<readonly OpenAlert[] | undefined> {
    let open: readonly OpenAlert[] | undefined;
    await this.#patiently(async () => {
      const read = await this.#options.store.alerts.open();
      open = read;
      this.#isLoaded = true;
    });
    return open;
  }

  /** Saves what has changed. Never rejects, and does not wait for ever. */
  async save(): Promise<void> {
    while (this.#unsaved.size > 0) {
      const isDone = await this.#patiently(() => this.#saveSome());
      if (!isDone) return;
    }
    this.#dueMs = Infinity;
  }

  async #saveSome(): Promise<void> {
    const { store, troubleOf, onNotified } = this.#options;
    const entries = [...this.#unsaved].slice(0, CHANGES_MAX);
    for (const [key] of entries) this.#unsaved.delete(key);
    const taken = entries.map(([key, resolution]) => ({ key, resolution, trouble: troubleOf(key) }));
    const changes = taken.map(({ key, resolution, trouble }): AlertChange => {
      return { key, resolution, alert: trouble ? toOpenAlert(trouble) : undefined };
    });
    let notified: ReadonlyMap<string, number>;
    try {
      notified = await store.alerts.save(changes);
    } catch (error) {
      // An end noted meanwhile is the later one.
      for (const [key, resolution] of entries) this.#unsaved.set(key, this.#unsaved.get(key) ?? resolution);
      throw error;
    }
    for (const [at, { trouble }] of taken.entries()) {
      if (!trouble) continue;
      trouble.isSaved = true;
      trouble.unsavedOccurrences -= changes[at]?.alert?.occurrences ?? 0;
    }
    for (const [key, notifiedMs] of notified) onNotified(key, notifiedMs);
  }

  /** One statement at a time. False when it failed or takes too long; then it goes on unattended. */
  async #patiently(work: () => Promise<void>): Promise<boolean> {
    const { clock, log } = this.#options;
    const run = async (): Promise<void> => {
      try {
        await work();
        if (this.#isFailing) log.info("alerts are recorded again");
        this.#isFailing = false;
      } finally {
        this.#working = undefined;
      }
    };
    try {
      const impatience = AbortSignal.timeout(PATIENCE_MS);
      if (this.#working) await untilAborted(this.#working, impatience);
      this.#working = run();
      await untilAborted(this.#working, impatience);
      return true;
    } catch (error) {
      if (!this.#isFailing)
        log.warn(
          `alerts cannot be recorded: ${describeError(error)}; they are told all the same, but a restart may tell them again`,
        );
      this.#isFailing = true;
      this.#dueMs = clock.nowMs() + RETRY_MS;
      return false;
    }
  }
}

function toOpenAlert({ alert, ...trouble }: Trouble): OpenAlert {
  const { key, severity, exchange, title, text } = alert;
  const { raisedMs, lastSeenMs, unsavedOccurrences, notifiedMs } = trouble;
  return {
    key,
    severity,
    exchange,
    title,
    text,
    raisedMs,
    lastSeenMs,
    occurrences: unsavedOccurrences,
    notifiedMs,
  };
}
