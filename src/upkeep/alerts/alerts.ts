// Tells the user of troubles: once when one begins, once when it is over, however often it is raised and however often
// the process starts again meanwhile. In: raise and resolve, which return at once. Out: messages to the notifiers.
import type { Clock } from "../../core/clock.js";
import type { Log } from "../../core/log.js";
import { untilAborted } from "../../core/net/abort.js";
import type { Random } from "../../core/random.js";
import type { RetryLimits } from "../../core/retry.js";
import type { OpenAlert } from "../../store/alert-records.js";
import type { Store } from "../../store/store.js";
import { WakeableSleep } from "../errors/wakeable-sleep.js";
import { AlertJournal } from "./alert-journal.js";
import {
  toMessage,
  type Alert,
  type AlertMessage,
  type AlertSeverity,
  type Notifier,
  type Told,
} from "./alert-message.js";
import { Delivery } from "./delivery.js";
import type { TimeRange } from "../../core/range.js";
import { endOfMaintenance, type MaintenanceWindow } from "./maintenance.js";
import { endOfMute, type Mute } from "./mute.js";
import { groupOf, newTrouble, storedTrouble, type Trouble } from "./trouble.js";

export interface AlertsOptions {
  readonly store: Pick<Store, "alerts">;
  readonly notifiers: readonly Notifier[];
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Nothing is told meanwhile. */
  readonly maintenance?: readonly MaintenanceWindow[];
  /** These are not told, for a time or for good. */
  readonly mutes?: readonly Mute[];
  /** How long an alert waits for others of its exchange and kind, to be told in one message, ms. */
  readonly groupMs?: number;
  /** Attempts to reach a notifier. */
  readonly retry?: RetryLimits;
  /** For one attempt, ms of real time. */
  readonly notifyTimeoutMs?: number;
  /** Messages that wait for one notifier. */
  readonly queueMax?: number;
  /** Alerts open at once; further ones are only logged. */
  readonly keysMax?: number;
}

const GROUP_MS = 2_000;
const RETRY: RetryLimits = { attempts: 5, baseDelayMs: 1_000, maxDelayMs: 60_000 };
const NOTIFY_TIMEOUT_MS = 15_000;
const QUEUE_MAX = 100;
const KEYS_MAX = 10_000;
/** Repeated raises only count, and the count is saved this late. */
const COUNT_SAVE_MS = 30_000;

/**
 * A key is quiet, then a trouble, and quiet again:
 * 1. raised: it waits `groupMs` for others of its exchange and kind; resolved before that, it is forgotten, since nobody
 *    would have anything from hearing of it;
 * 2. due, but in maintenance or muted: it is saved and waits for the end of that, which for some never comes;
 * 3. due: it is saved; unless the record says that somebody has been told already, it is told;
 * 4. resolved after that: its end waits, likewise, for others and for maintenance, and is told unless it is muted for good; raised again before that,
 *    it has never ended.
 * The record in the store is read at the start; a trouble it holds begins in step 4, or in step 2 where nobody was told.
 */
export class Alerts {
  readonly #options: AlertsOptions &
    Required<Pick<AlertsOptions, "maintenance" | "mutes" | "groupMs" | "keysMax">>;
  readonly #announced = new Map<string, readonly TimeRange[]>();
  readonly #troubles = new Map<string, Trouble>();
  /** Troubles and ends to be told. */
  readonly #pending = new Set<Trouble>();
  /** When a group that is waiting is due. */
  readonly #groups = new Map<string, number>();
  /** Ends of what is not known to be open, as long as the record has not been read. */
  readonly #earlyEnds = new Map<string, { readonly atMs: number; readonly text: string }>();
  readonly #journal: AlertJournal;
  readonly #deliveries: readonly Delivery[];
  readonly #pause: WakeableSleep;
  #working: Promise<void> | undefined;
  #stepping: Promise<void> = Promise.resolve();
  #isHurried = false;
  #isClosed = false;
  #isFull = false;

  constructor(options: AlertsOptions) {
    this.#options = { maintenance: [], mutes: [], groupMs: GROUP_MS, keysMax: KEYS_MAX, ...options };
    const { store, clock, log } = options;
    this.#pause = new WakeableSleep(clock);
    this.#journal = new AlertJournal({
      store,
      clock,
      log,
      troubleOf: (key) => this.#troubles.get(key),
      onNotified: (key, notifiedMs) => this.#wasNotified(key, notifiedMs),
    });
    this.#deliveries = options.notifiers.map((notifier) => this.#deliveryTo(notifier));
  }

  /** Begins to work in the background: tells what an earlier run could not tell any more. */
  start(): void {
    this.#wake();
  }

  /** What an exchange has announced for itself; takes the place of what it announced before. */
  announce(exchange: string, windows: readonly TimeRange[]): void {
    this.#announced.set(exchange, windows);
  }

  /** Says that there is a trouble. Said again before its end, it only counts. */
  raise(alert: Alert): void {
    if (this.#isClosed) return;
    const nowMs = this.#options.clock.nowMs();
    this.#earlyEnds.delete(alert.key);
    const known = this.#troubles.get(alert.key);
    if (known) {
      this.#raiseAgain(known, alert, nowMs);
    } else if (this.#troubles.size >= this.#options.keysMax) {
      if (!this.#isFull)
        this.#options.log.error(`${this.#troubles.size} alerts are open; further ones are not told`);
      this.#isFull = true;
    } else {
      const trouble = newTrouble(alert, { nowMs, dueMs: 0 });
      this.#troubles.set(alert.key, trouble);
      this.#await(trouble, nowMs);
    }
    this.#wake();
  }

  /** Says that a trouble is over. Of a key that is in none, it does nothing. */
  resolve(key: string, text: string): void {
    if (this.#isClosed) return;
    const nowMs = this.#options.clock.nowMs();
    const ending = { atMs: nowMs, text };
    const trouble = this.#troubles.get(key);
    if (trouble?.ending) return;
    if (trouble?.isTold) {
      trouble.ending = ending;
      this.#await(trouble, nowMs);
    } else if (!this.#journal.isLoaded) {
      // It may be open in the record that has not been read yet, and somebody may have been told.
      if (trouble) this.#remove(trouble);
      if (this.#earlyEnds.size < this.#options.keysMax) this.#earlyEnds.set(key, ending);
    } else if (trouble) {
      this.#remove(trouble);
      // Also where there is no row yet: it may be on its way.
      this.#journal.note(key, { resolution: { ...ending, notifiedMs: undefined } });
    } else {
      return;
    }
    this.#wake();
  }

  /** Troubles there are now, whether or not somebody has been told, by severity. */
  openBySeverity(): Readonly<Record<AlertSeverity, number>> {
    const counts = { warning: 0, critical: 0 };
    for (const { alert, ending } of this.#troubles.values()) if (!ending) counts[alert.severity]++;
    return counts;
  }

  /** What became of the messages to each receiver since the beginning. */
  deliveries(): { readonly receiver: string; readonly delivered: number; readonly failed: number }[] {
    return this.#deliveries.map(({ name, delivered, failed }) => ({ receiver: name, delivered, failed }));
  }

  /**
   * Tells at once what is due only later, except what maintenance holds back, and waits until the notifiers have taken it
   * or are given up.
   * @throws the signal's reason when it is aborted before that; what was not told is told by the next run
   */
  async flush(signal: AbortSignal): Promise<void> {
    this.#isHurried = true;
    try {
      await untilAborted(this.#step(), signal);
      for (const delivery of this.#deliveries) await delivery.idle(signal);
      // Who was told is part of the record.
      await untilAborted(this.#step(), signal);
    } finally {
      this.#isHurried = false;
    }
  }

  /** Stops. What was not told by then is told by the next run. */
  async close(): Promise<void> {
    this.#isClosed = true;
    this.#pause.wake();
    await Promise.all(this.#deliveries.map((delivery) => delivery.close()));
    await this.#working;
  }

  #deliveryTo(notifier: Notifier): Delivery {
    const { clock, random, log, retry, notifyTimeoutMs, queueMax } = this.#options;
    return new Delivery({
      notifier,
      clock,
      random,
      log,
      retry: retry ?? RETRY,
      timeoutMs: notifyTimeoutMs ?? NOTIFY_TIMEOUT_MS,
      queueMax: queueMax ?? QUEUE_MAX,
      onDelivered: (message) => this.#wasDelivered(message),
    });
  }

  #raiseAgain(trouble: Trouble, alert: Alert, nowMs: number): void {
    trouble.alert = alert;
    trouble.lastSeenMs = nowMs;
    trouble.unsavedOccurrences++;
    if (trouble.ending) {
      trouble.ending = undefined;
      this.#pending.delete(trouble);
    }
    if (trouble.isSaved) this.#journal.note(alert.key, { withinMs: COUNT_SAVE_MS });
  }

  #await(trouble: Trouble, nowMs: number): void {
    const group = groupOf(trouble);
    const groupDueMs = this.#groups.get(group) ?? -Infinity;
    trouble.dueMs = groupDueMs > nowMs ? groupDueMs : nowMs + this.#options.groupMs;
    this.#groups.set(group, trouble.dueMs);
    this.#pending.add(trouble);
  }

  #remove(trouble: Trouble): void {
    this.#pending.delete(trouble);
    this.#troubles.delete(trouble.alert.key);
    this.#isFull = false;
  }

  #wake(): void {
    this.#pause.wake();
    this.#working ??= this.#work();
  }

  async #work(): Promise<void> {
    // One turn later: until then `#working` is not set.
    await Promise.resolve();
    while (!this.#isClosed) {
      await this.#step();
      const nextMs = Math.min(this.#journal.dueMs, ...[...this.#pending].map((trouble) => trouble.dueMs));
      if (nextMs === Infinity) break;
      const leftMs = nextMs - this.#options.clock.nowMs();
      // A stop may have come during the step, when nobody slept to be woken.
      if (leftMs > 0 && !this.#isClosed) await this.#pause.sleep(leftMs);
    }
    this.#working = undefined;
  }

  /** One at a time: the loop's own, and those of `flush`. */
  #step(): Promise<void> {
    this.#stepping = this.#stepping.then(() => this.#tellWhatIsDue());
    return this.#stepping;
  }

  async #tellWhatIsDue(): Promise<void> {
    if (!this.#journal.isLoaded) this.#take(await this.#journal.load());
    const nowMs = this.#options.clock.nowMs();
    const due = [...this.#pending].filter((trouble) => this.#isHurried || trouble.dueMs <= nowMs);
    const ready = due.filter((trouble) => !this.#isHeldBack(trouble, nowMs));
    for (const trouble of due) if (!trouble.isSaved) this.#journal.note(trouble.alert.key);
    // Saved before it is told: the record may know that somebody else has told it.
    if (this.#isHurried || this.#journal.dueMs <= nowMs) await this.#journal.save();
    this.#tell(
      ready.filter((trouble) => this.#pending.has(trouble)),
      nowMs,
    );
    if (this.#isHurried || this.#journal.dueMs <= nowMs) await this.#journal.save();
  }

  #isHeldBack(trouble: Trouble, nowMs: number): boolean {
    const { mutes } = this.#options;
    const { exchange, key } = trouble.alert;
    const announced = exchange === undefined ? [] : (this.#announced.get(exchange) ?? []);
    const maintenance = [
      ...this.#options.maintenance,
      ...announced.map((window) => ({ ...window, exchange })),
    ];
    const endMs = Math.max(
      endOfMaintenance(maintenance, { exchange, nowMs }),
      endOfMute(mutes, { key, nowMs }),
    );
    if (endMs === nowMs) return false;
    trouble.dueMs = endMs;
    if (endMs === Infinity && trouble.ending) {
      this.#remove(trouble);
      this.#journal.note(key, { resolution: { ...trouble.ending, notifiedMs: undefined } });
    }
    return true;
  }

  /** Takes up what the record holds. */
  #take(open: readonly OpenAlert[] | undefined): void {
    if (!open) return;
    const nowMs = this.#options.clock.nowMs();
    for (const stored of open) {
      const own = this.#troubles.get(stored.key);
      if (own) {
        own.isSaved = true;
        this.#journal.note(stored.key);
        if (stored.notifiedMs !== undefined) this.#wasNotified(stored.key, stored.notifiedMs);
        continue;
      }
      const trouble = storedTrouble(stored, { dueMs: nowMs });
      this.#troubles.set(stored.key, trouble);
      if (!trouble.isTold) this.#await(trouble, nowMs);
      const ending = this.#earlyEnds.get(stored.key);
      if (ending) this.resolve(stored.key, ending.text);
    }
    this.#earlyEnds.clear();
  }

  /** Ours or another's: from now on only its end is news. */
  #wasNotified(key: string, notifiedMs: number): void {
    const trouble = this.#troubles.get(key);
    if (!trouble) return;
    trouble.notifiedMs = notifiedMs;
    if (trouble.isTold) return;
    trouble.isTold = true;
    if (!trouble.ending) this.#pending.delete(trouble);
  }

  #wasDelivered({ status, keys }: AlertMessage): void {
    if (status === "recovered") return;
    const nowMs = this.#options.clock.nowMs();
    for (const key of keys) {
      const trouble = this.#troubles.get(key);
      if (!trouble || trouble.notifiedMs !== undefined) continue;
      trouble.notifiedMs = nowMs;
      this.#journal.note(key);
    }
    this.#wake();
  }

  #tell(ready: readonly Trouble[], nowMs: number): void {
    const groups = new Map<string, Told[]>();
    for (const trouble of ready) {
      const group = groupOf(trouble);
      this.#groups.delete(group);
      groups.set(group, [...(groups.get(group) ?? []), this.#told(trouble, nowMs)]);
    }
    for (const [first, ...others] of groups.values()) {
      if (!first) continue;
      const message = toMessage([first, ...others], nowMs);
      for (const delivery of this.#deliveries) delivery.send(message);
    }
  }

  #told(trouble: Trouble, nowMs: number): Told {
    const { alert, ending } = trouble;
    if (!ending) {
      this.#pending.delete(trouble);
      trouble.isTold = true;
      return { ...alert, status: "trouble" };
    }
    this.#remove(trouble);
    this.#journal.note(alert.key, { resolution: { ...ending, notifiedMs: nowMs } });
    return { ...alert, text: ending.text, status: "recovered" };
  }
}
