// Metrics of the alerts themselves: whether there are any, and whether anybody hears of them.
import type { Registry } from "prom-client";
import type { Alerts } from "../alerts/alerts.js";
import { addCounter, addGauge } from "./read-metric.js";

export function addAlertMetrics(
  registry: Registry,
  alerts: Pick<Alerts, "openBySeverity" | "deliveries">,
): void {
  addGauge(
    registry,
    { name: "tickwell_alerts_open", help: "Alerts that are open, told or not, by severity." },
    () =>
      Object.entries(alerts.openBySeverity()).map(([severity, value]) => ({ labels: { severity }, value })),
  );
  addCounter(
    registry,
    {
      name: "tickwell_alert_messages_total",
      help: "Messages about alerts, by receiver and outcome: delivered, or failed after every attempt.",
    },
    () =>
      alerts.deliveries().flatMap(({ receiver, delivered, failed }) => [
        { labels: { receiver, outcome: "delivered" }, value: delivered },
        { labels: { receiver, outcome: "failed" }, value: failed },
      ]),
  );
}
