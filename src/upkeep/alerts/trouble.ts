// What is known of one alert while it lasts, and until its end has been told.
import type { OpenAlert } from "../../store/alert-records.js";
import { kindOf, type Alert } from "./alert-message.js";

export interface Trouble {
  /** As it was raised last. */
  alert: Alert;
  readonly raisedMs: number;
  lastSeenMs: number;
  /** Raised so often since it was last saved. */
  unsavedOccurrences: number;
  /** There is a row of it. */
  isSaved: boolean;
  /** Handed to the notifiers, by us, an earlier run, or another process. */
  isTold: boolean;
  /** When a notifier had taken it. */
  notifiedMs: number | undefined;
  /** It is over; told as soon as that is due. */
  ending: { readonly atMs: number; readonly text: string } | undefined;
  /** From when on the trouble or its end may be told; only looked at while it is pending. */
  dueMs: number;
}

export function newTrouble(alert: Alert, { nowMs, dueMs }: { nowMs: number; dueMs: number }): Trouble {
  return {
    alert,
    raisedMs: nowMs,
    lastSeenMs: nowMs,
    unsavedOccurrences: 1,
    isSaved: false,
    isTold: false,
    notifiedMs: undefined,
    ending: undefined,
    dueMs,
  };
}

/** A trouble of an earlier run, or of another process. */
export function storedTrouble(stored: OpenAlert, { dueMs }: { dueMs: number }): Trouble {
  const { key, severity, exchange, title, text, raisedMs, lastSeenMs, notifiedMs } = stored;
  return {
    alert: { key, severity, exchange, title, text },
    raisedMs,
    lastSeenMs,
    unsavedOccurrences: 0,
    isSaved: true,
    isTold: notifiedMs !== undefined,
    notifiedMs,
    ending: undefined,
    dueMs,
  };
}

/** Troubles of one group are told in one message, and so are their ends. */
export function groupOf({ alert, ending }: Pick<Trouble, "alert" | "ending">): string {
  return JSON.stringify([ending ? "recovered" : "trouble", alert.exchange ?? null, kindOf(alert.key)]);
}
