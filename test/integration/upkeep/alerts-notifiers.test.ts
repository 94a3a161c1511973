// What each notifier sends, to the byte where a stranger reads it, and what it makes of a refusal.
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { describeError, TickwellError, type Fault } from "../../../src/core/fault.js";
import { silentLog } from "../../../src/core/log.js";
import { HttpClient } from "../../../src/core/net/http-client.js";
import type { AlertMessage, Notifier } from "../../../src/upkeep/alerts/alert-message.js";
import { createNotifiers } from "../../../src/upkeep/alerts/notifiers.js";
import { slackNotifier } from "../../../src/upkeep/alerts/slack-notifier.js";
import { telegramNotifier } from "../../../src/upkeep/alerts/telegram-notifier.js";
import { webhookNotifier } from "../../../src/upkeep/alerts/webhook-notifier.js";
import { hang, startAlertsReceiver, status, type AlertsReceiver } from "./alerts-receiver.js";

const never = new AbortController().signal;
const TOKEN = "123456:AAE-t0ken";
const message: AlertMessage = {
  status: "trouble",
  key: "failures:binance /api/v3/klines BTCUSDT",
  keys: ["failures:binance /api/v3/klines BTCUSDT"],
  severity: "critical",
  title: "binance BTCUSDT: requests fail",
  text: 'HTTP 503, "<b>down & out</b>"',
  exchange: "binance",
  atMs: Date.UTC(2024, 0, 1, 0, 0, 0, 250),
};

let receiver: AlertsReceiver;
let http: HttpClient;
beforeEach(async () => {
  receiver = await startAlertsReceiver();
  http = new HttpClient();
});
afterEach(async () => {
  await http.close();
  await receiver.close();
});

const webhook = () => webhookNotifier({ url: `${receiver.url}/in/s3cret?k=v`, http, timeoutMs: 200 });
const slack = () => slackNotifier({ url: `${receiver.url}/services/T0/B0/s3cret`, http, timeoutMs: 200 });
const telegram = () =>
  telegramNotifier({ botToken: TOKEN, chatId: "-100", baseUrl: receiver.url, http, timeoutMs: 200 });

async function failureOf(notifier: Notifier): Promise<{ fault: Fault; text: string }> {
  const error: unknown = await notifier.notify(message, never).then(
    () => new Error("expected a failure"),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof TickwellError)) throw error;
  return { fault: error.fault, text: describeError(error) };
}

describe("webhookNotifier", () => {
  it("posts its documented JSON", async () => {
    await webhook().notify(message, never);
    expect(receiver.received).toHaveLength(1);
    const [request] = receiver.received;
    expect([request?.method, request?.path, request?.headers["content-type"]]).toEqual([
      "POST",
      "/in/s3cret?k=v",
      "application/json",
    ]);
    expect(request?.body).toEqual({
      status: "trouble",
      key: "failures:binance /api/v3/klines BTCUSDT",
      keys: ["failures:binance /api/v3/klines BTCUSDT"],
      severity: "critical",
      title: "binance BTCUSDT: requests fail",
      text: 'HTTP 503, "<b>down & out</b>"',
      exchange: "binance",
      at: "2024-01-01T00:00:00.250Z",
    });
  });

  it("says null where an alert is not about one exchange", async () => {
    await webhook().notify({ ...message, exchange: undefined }, never);
    expect(receiver.received[0]?.body.exchange).toBeNull();
  });
});

describe("slackNotifier", () => {
  it("posts one text, in which nothing is markup", async () => {
    await slack().notify(message, never);
    await slack().notify({ ...message, status: "recovered", text: "answers again" }, never);
    expect(receiver.received.map(({ path, body }) => [path, body])).toEqual([
      [
        "/services/T0/B0/s3cret",
        {
          text: '[critical] binance BTCUSDT: requests fail\nHTTP 503, "&lt;b&gt;down &amp; out&lt;/b&gt;"',
        },
      ],
      ["/services/T0/B0/s3cret", { text: "[recovered] binance BTCUSDT: requests fail\nanswers again" }],
    ]);
  });
});

describe("telegramNotifier", () => {
  it("sends a message as the bot", async () => {
    await telegram().notify(message, never);
    expect(receiver.received.map(({ method, path, body }) => [method, path, body])).toEqual([
      [
        "POST",
        `/bot${TOKEN}/sendMessage`,
        {
          chat_id: "-100",
          text: '[critical] binance BTCUSDT: requests fail\nHTTP 503, "<b>down & out</b>"',
        },
      ],
    ]);
  });

  it("waits as long as Telegram's answer says when there is no header", async () => {
    receiver.answer(status(429, '{"ok":false,"error_code":429,"parameters":{"retry_after":5}}'));
    expect((await failureOf(telegram())).fault).toEqual({ kind: "rate_limit", retryAfterMs: 5_000 });
  });
});

describe.each([
  ["webhook", webhook, "s3cret"],
  ["slack", slack, "s3cret"],
  ["telegram", telegram, TOKEN],
] as const)("%s", (name, notifier, secret) => {
  it.each([
    [500, { kind: "exchange", code: "HTTP 500" }],
    [408, { kind: "exchange", code: "HTTP 408" }],
    [404, { kind: "bad_request", code: "HTTP 404" }],
    [302, { kind: "bad_request", code: "HTTP 302" }],
    [403, { kind: "auth", code: "HTTP 403" }],
  ] as const)(
    "classifies HTTP %i and shows no secret, even if the answer repeats it",
    async (code, fault) => {
      receiver.answer((response) => status(code, `no ${receiver.received[0]?.path ?? ""} here`)(response));
      const failure = await failureOf(notifier());
      expect(failure.fault).toEqual(fault);
      expect(failure.text).toBe(
        `${name} (${new URL(receiver.url).host}) answered HTTP ${code}, "no *** here"`,
      );
    },
  );

  it("honours Retry-After, and not for longer than an hour", async () => {
    receiver.answer(status(429, "", { "retry-after": "2.5" }), status(429, "", { "retry-after": "999999" }));
    expect((await failureOf(notifier())).fault).toEqual({ kind: "rate_limit", retryAfterMs: 2_500 });
    expect((await failureOf(notifier())).fault).toEqual({ kind: "rate_limit", retryAfterMs: 3_600_000 });
  });

  it("times out, and shows no secret", async () => {
    receiver.answer(hang);
    const { fault, text } = await failureOf(notifier());
    expect(fault).toEqual({ kind: "timeout", timeoutMs: 200 });
    expect(text).not.toContain(secret);
  });

  it("rejects with the signal's reason when it is aborted", async () => {
    receiver.answer(hang);
    const abort = new AbortController();
    const sent = notifier().notify(message, abort.signal);
    sent.catch(() => undefined);
    await expect.poll(() => receiver.received.length).toBe(1);
    const reason = new Error("stopped");
    abort.abort(reason);
    await expect(sent).rejects.toBe(reason);
  });

  it("shows no secret when the connection is refused", async () => {
    const refused = notifier();
    await receiver.close();
    const { fault, text } = await failureOf(refused);
    expect(fault).toEqual({ kind: "network" });
    expect(text).toContain(`${name}: 127.0.0.1:`);
    expect(text).not.toContain(secret);
    receiver = await startAlertsReceiver();
  });
});

describe("createNotifiers", () => {
  it("always tells the log, and the receivers that are configured", () => {
    const nothing = { webhookUrl: undefined, slackWebhookUrl: undefined, telegram: undefined };
    const all = {
      webhookUrl: "https://a.test/1",
      slackWebhookUrl: "https://b.test/2",
      telegram: { botToken: "t", chatId: "c" },
    };
    const names = (receivers: Parameters<typeof createNotifiers>[0]) =>
      createNotifiers(receivers, { http, log: silentLog }).map((each) => each.name);
    expect(names(nothing)).toEqual(["log"]);
    expect(names(all)).toEqual(["log", "webhook", "slack", "telegram"]);
  });

  it("refuses a URL that is none without showing it", () => {
    const make = () => webhookNotifier({ url: "hooks.test/s3cret", http });
    expect(make).toThrow(/the webhook is no http or https address/);
    expect(make).not.toThrow(/s3cret/);
  });
});
