// Tells alerts in the program's own log. It needs no network: what every other notifier misses is at least there.
import type { Log } from "../../core/log.js";
import type { Notifier } from "./alert-message.js";

export function logNotifier(log: Log): Notifier {
  return {
    name: "log",
    notify: async (message) => {
      const { status, keys, severity, title, text, exchange } = message;
      const level = status === "recovered" ? "info" : severity === "critical" ? "error" : "warn";
      log[level]({ alert: status, key: message.key, count: keys.length, exchange }, `${title}: ${text}`);
    },
  };
}
