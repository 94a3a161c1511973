// What notifiers are given: one trouble or recovery, or several of one kind told together.
import type { AlertSeverity } from "../../store/alert-records.js";

export type { AlertSeverity };

/** Something the user should know of, as long as it lasts. */
export interface Alert {
  /** `<kind>:<what>`, such as `failures:binance /api/v3/klines BTCUSDT`. The same trouble has the same key in every run. */
  readonly key: string;
  readonly severity: AlertSeverity;
  /** Undefined where it is not about one exchange. */
  readonly exchange?: string | undefined;
  /** A few words that name the subject: `binance BTCUSDT: requests fail`. */
  readonly title: string;
  readonly text: string;
}

export interface AlertMessage {
  readonly status: "trouble" | "recovered";
  /** Of one alert: its key, the same for trouble and recovery. Of several: `<kind>:*`. */
  readonly key: string;
  /** Of every alert that is told by this message. */
  readonly keys: readonly string[];
  /** The worst of them. */
  readonly severity: AlertSeverity;
  readonly title: string;
  readonly text: string;
  readonly exchange: string | undefined;
  /** Epoch ms. */
  readonly atMs: number;
}

/**
 * Delivers one message.
 * @throws TickwellError, by whose fault it is tried again or given up; the signal's reason
 */
export type Notify = (message: AlertMessage, signal: AbortSignal) => Promise<void>;

/** A way to reach the user. */
export interface Notifier {
  /** For our own log: `slack`. */
  readonly name: string;
  readonly notify: Notify;
}

/** Titles named in a message about many. */
const NAMED_MAX = 3;
/** A chat message holds some 4,000 characters. */
const TITLE_CHARS_MAX = 200;
const TEXT_CHARS_MAX = 2_000;

/** What one message says. */
export interface Told extends Alert {
  readonly status: AlertMessage["status"];
}

/** The part of a key before its first colon. */
export function kindOf(key: string): string {
  return key.split(":", 1)[0] ?? key;
}

/** One message for alerts of one status, exchange and kind; there is at least one. */
export function toMessage(alerts: readonly [Told, ...Told[]], atMs: number): AlertMessage {
  const [first] = alerts;
  const keys = alerts.map((alert) => alert.key);
  const common = { status: first.status, keys, exchange: first.exchange, atMs };
  if (alerts.length === 1) {
    return {
      ...common,
      key: first.key,
      severity: first.severity,
      title: cut(first.title, TITLE_CHARS_MAX),
      text: cut(first.text, TEXT_CHARS_MAX),
    };
  }
  const kind = kindOf(first.key);
  const named = alerts.slice(0, NAMED_MAX).map((alert) => cut(alert.title, TITLE_CHARS_MAX));
  const others = alerts.length - named.length;
  const subject = first.exchange === undefined ? kind : `${first.exchange} ${kind}`;
  return {
    ...common,
    key: `${kind}:*`,
    severity: alerts.some((alert) => alert.severity === "critical") ? "critical" : "warning",
    title: `${subject}: ${alerts.length} ${first.status === "trouble" ? "troubles" : "recovered"} at once`,
    text: others > 0 ? `${named.join("; ")}; and ${others} more` : named.join("; "),
  };
}

/** For places that show one text: `[critical] title\ntext`. */
export function messageText(message: AlertMessage): string {
  const mark = message.status === "recovered" ? "recovered" : message.severity;
  return `[${mark}] ${message.title}\n${message.text}`;
}

function cut(text: string, charsMax: number): string {
  return text.length > charsMax ? `${text.slice(0, charsMax)}…` : text;
}
