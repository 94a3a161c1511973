import { beforeEach, describe, expect, it } from "vitest";
import { TickwellError } from "../../../../src/core/fault.js";
import type { silentLog } from "../../../../src/core/log.js";
import { seededRandom } from "../../../../src/core/random.js";
import type { AlertMessage, Notify } from "../../../../src/upkeep/alerts/alert-message.js";
import { Delivery } from "../../../../src/upkeep/alerts/delivery.js";
import { EagerClock } from "../../core/net/manual-clock.js";

const never = new AbortController().signal;
const down = new TickwellError({ kind: "network" }, "down");

let logged: string[];
let heard: string[];
beforeEach(() => {
  logged = [];
  heard = [];
});

const log = {
  error: (text: string) => logged.push(text),
  info: (text: string) => logged.push(text),
} as unknown as typeof silentLog;

const message = (key: string, status: AlertMessage["status"] = "trouble"): AlertMessage => ({
  status,
  key,
  keys: [key],
  severity: "warning",
  title: key,
  text: "",
  exchange: undefined,
  atMs: 0,
});

function deliveryOf(notify: Notify, options: { queueMax?: number; timeoutMs?: number } = {}): Delivery {
  return new Delivery({
    notifier: { name: "pager", notify },
    clock: new EagerClock(0),
    random: seededRandom(1),
    log,
    retry: { attempts: 3, baseDelayMs: 10, maxDelayMs: 10 },
    timeoutMs: 10_000,
    queueMax: 100,
    onDelivered: ({ key }) => heard.push(key),
    ...options,
  });
}

describe("Delivery", () => {
  it("delivers in order, one at a time", async () => {
    let underWay = 0;
    let mostAtOnce = 0;
    const delivery = deliveryOf(async () => {
      mostAtOnce = Math.max(mostAtOnce, ++underWay);
      await Promise.resolve();
      underWay--;
    });
    for (const key of ["a", "b", "c"]) delivery.send(message(key));
    await delivery.idle(never);
    expect(heard).toEqual(["a", "b", "c"]);
    expect(mostAtOnce).toBe(1);
  });

  it("says once that a notifier fails, and how much was lost when it works again", async () => {
    let isDown = true;
    let attempts = 0;
    const delivery = deliveryOf(async () => {
      attempts++;
      if (isDown) throw down;
    });
    for (const key of ["a", "b"]) delivery.send(message(key));
    await delivery.idle(never);
    expect(attempts).toBe(6);
    isDown = false;
    for (const key of ["c", "d"]) delivery.send(message(key));
    await delivery.idle(never);
    expect(heard).toEqual(["c", "d"]);
    expect(logged).toEqual([
      "alerts: pager did not take a message: down; this is said once until it works again",
      "alerts: pager works again; 2 messages did not get through",
    ]);
  });

  it("displaces the oldest message when too many wait, and then says nothing of its end", async () => {
    const delivery = deliveryOf(async () => undefined, { queueMax: 2 });
    for (const key of ["a", "b", "c"]) delivery.send(message(key));
    await delivery.idle(never);
    for (const key of ["a", "b"]) delivery.send(message(key, "recovered"));
    await delivery.idle(never);
    expect(heard).toEqual(["b", "c", "b"]);
  });

  it("leaves a notifier behind that does not heed its signal", async () => {
    const delivery = deliveryOf(() => new Promise(() => undefined), { timeoutMs: 5 });
    delivery.send(message("a"));
    await delivery.idle(never);
    expect(logged).toEqual([
      "alerts: pager did not take a message: pager did not end within 5 ms; this is said once until it works again",
    ]);
  });

  it("ends at once when it is closed, and takes nothing more", async () => {
    const delivery = deliveryOf(() => new Promise(() => undefined));
    delivery.send(message("a"));
    delivery.send(message("b"));
    await delivery.close();
    delivery.send(message("c"));
    await delivery.idle(never);
    expect([heard, logged]).toEqual([[], []]);
  });
});
