// An alert of the running program, from the exchange's answer to the receiver and back: a ban is told, and its end.
import { tmpdir } from "node:os";
import { afterEach, expect, it } from "vitest";
import { parseExposition, sumOf } from "../../support/exposition.js";
import { startInstance, type RunningInstance } from "../../support/running-instance.js";
import { until } from "../../support/until.js";
import { startAlertsReceiver, type AlertsReceiver } from "../upkeep/alerts-receiver.js";

let instance: RunningInstance | undefined;
let receiver: AlertsReceiver | undefined;
afterEach(async () => {
  await instance?.close();
  await receiver?.close();
});

it("tells a receiver that the exchange has banned this address, and that the ban is over", async () => {
  receiver = await startAlertsReceiver();
  const { received } = receiver;
  instance = await startInstance({
    seed: 1,
    dataDir: tmpdir(),
    faults: [{ kind: "http_418", endpoint: "depth", nth: 1, ban_s: 4 }],
    instance: {
      alerts: {
        webhook_url: `${receiver.url}/hook`,
        // What else a machine may be short of is not this test's.
        mute: [{ key: "disk:*" }],
      },
    },
  });
  const { runtime } = instance;
  const told = (): string[] =>
    received
      .map(({ body }) => `${String(body.status)} ${String(body.key)}`)
      .filter((each) => each.includes("ban:"));
  const metric = async (name: string, labels: Record<string, string>): Promise<number | undefined> =>
    sumOf(parseExposition(await runtime.metrics.text()), name, labels);

  await until(async () => {
    await runtime.look();
    return told().length > 0;
  });
  expect(told()).toEqual(["trouble ban:binance"]);
  expect(received.find(({ body }) => body.key === "ban:binance")?.body).toMatchObject({
    severity: "critical",
    exchange: "binance",
    title: "binance has banned this address",
  });
  expect(await metric("tickwell_alerts_open", { severity: "critical" })).toBeGreaterThanOrEqual(1);
  expect(await metric("tickwell_ban_until_timestamp_seconds", { exchange: "binance" })).toBeGreaterThan(0);

  await until(async () => {
    await runtime.look();
    return told().length > 1;
  });
  expect(told()).toEqual(["trouble ban:binance", "recovered ban:binance"]);
  expect(await metric("tickwell_ban_until_timestamp_seconds", { exchange: "binance" })).toBe(0);
  // The receiver has it before the sender has the answer.
  const delivered = { receiver: "webhook", outcome: "delivered" };
  await expect.poll(() => metric("tickwell_alert_messages_total", delivered)).toBe(received.length);
});
