// Failures in a row as alerts: what the tracker finds is raised, and resolved when the exchange answers again.
import { formatDuration } from "../../core/duration.js";
import { ConsecutiveFailureTracker, type FailureChange } from "../errors/consecutive-failure-tracker.js";
import type { Alert } from "./alert-message.js";
import type { Alerts } from "./alerts.js";

const KIND = "failures:";

/**
 * A tracker that raises and resolves alerts.
 * @param options.openKeys keys of the alerts an earlier run left open, so that their end is noticed
 */
export function trackFailures(options: {
  readonly alerts: Pick<Alerts, "raise" | "resolve">;
  readonly threshold: number;
  readonly openKeys: readonly string[];
}): ConsecutiveFailureTracker {
  const { alerts, threshold, openKeys } = options;
  const tracker = new ConsecutiveFailureTracker({
    threshold,
    onChange: (change) => {
      // A market that is delisted or renamed is told by whoever knows the exchange's list: once is enough.
      if (change.last?.fault.kind === "bad_symbol") return;
      if (change.status === "trouble") alerts.raise(toAlert(change));
      else alerts.resolve(KIND + change.key, recoveryText(change));
    },
  });
  for (const key of openKeys) if (key.startsWith(KIND)) tracker.restore(key.slice(KIND.length));
  return tracker;
}

function toAlert(change: FailureChange): Alert {
  const { key, exchange, last, failures } = change;
  return {
    key: KIND + key,
    severity: "critical",
    exchange,
    title: `${subjectOf(change)}: requests fail`,
    text: `${failures ?? "several"} requests in a row failed, ${change.endpoint}; the last one: ${last?.message ?? "unknown"}`,
  };
}

function recoveryText({ endpoint, failures, sinceMs, atMs }: FailureChange): string {
  if (failures === undefined || sinceMs === undefined) return `${endpoint} answers again`;
  return `${endpoint} answers again, after ${failures} failed ${failures === 1 ? "request" : "requests"} in ${formatDuration(atMs - sinceMs)}`;
}

function subjectOf({ exchange, endpoint, nativeSymbol }: FailureChange): string {
  return `${exchange} ${nativeSymbol ?? endpoint}`;
}
