import { describe, expect, it } from "vitest";
import type { Fault } from "../../../../src/core/fault.js";
import { refusalError } from "../../../../src/exchanges/binance/errors.js";

const NOW_MS = 1_732_300_000_000;

function refuse(
  status: number,
  body: unknown,
  headers: Record<string, string> = {},
  asked: { exchange: string; host: string } = { exchange: "binance", host: "api.example" },
) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return refusalError(
    { status, header: (name) => headers[name], text },
    {
      ...asked,
      endpoint: "/api/v3/klines",
      nativeSymbol: "NOSUCH",
      receivedMs: NOW_MS,
    },
  );
}

const withCode = (code: number) => ({ code, msg: "the exchange's words" });

describe("refusalError", () => {
  it.each<[number, number, Fault]>([
    [500, -1000, { kind: "exchange", code: "-1000" }],
    [400, -1001, { kind: "exchange", code: "-1001" }],
    [401, -1002, { kind: "auth", code: "-1002" }],
    [400, -1003, { kind: "rate_limit", retryAfterMs: undefined }],
    [400, -1006, { kind: "exchange", code: "-1006" }],
    [504, -1007, { kind: "timeout", timeoutMs: 10_000 }],
    [503, -1008, { kind: "exchange", code: "-1008" }],
    [503, -1016, { kind: "maintenance" }],
    [400, -1021, { kind: "bad_request", code: "-1021" }],
    [400, -1022, { kind: "auth", code: "-1022" }],
    [400, -1034, { kind: "rate_limit", retryAfterMs: undefined }],
    [400, -1100, { kind: "bad_request", code: "-1100" }],
    [400, -1105, { kind: "bad_request", code: "-1105" }],
    [400, -1112, { kind: "bad_symbol", code: "-1112" }],
    [400, -1120, { kind: "bad_request", code: "-1120" }],
    [400, -1121, { kind: "bad_symbol", code: "-1121" }],
    [400, -1122, { kind: "bad_symbol", code: "-1122" }],
    [400, -1130, { kind: "bad_request", code: "-1130" }],
    [400, -1220, { kind: "bad_symbol", code: "-1220" }],
    [401, -2015, { kind: "auth", code: "-2015" }],
    [400, -9999, { kind: "bad_request", code: "-9999" }],
    [500, -9999, { kind: "exchange", code: "-9999" }],
  ])("classifies HTTP %d with code %d", (status, code, fault) => {
    expect(refuse(status, withCode(code)).fault).toEqual(fault);
  });

  it.each<[number, string, Fault]>([
    [502, "<html><h1>502 Bad Gateway</h1></html>", { kind: "exchange", code: "HTTP 502" }],
    [503, "", { kind: "exchange", code: "HTTP 503" }],
    [404, "<html>nginx</html>", { kind: "bad_request", code: "HTTP 404" }],
    [403, "<html><h1>403 ERROR</h1>Request blocked.</html>", { kind: "ip_ban", untilMs: NOW_MS + 120_000 }],
    [403, "", { kind: "ip_ban", untilMs: NOW_MS + 120_000 }],
    [302, "", { kind: "network" }],
  ])("classifies HTTP %d without JSON", (status, body, fault) => {
    expect(refuse(status, body).fault).toEqual(fault);
  });

  it("takes the seconds of Retry-After of a 429", () => {
    const error = refuse(429, withCode(-1003), { "retry-after": "7" });
    expect(error.fault).toEqual({ kind: "rate_limit", retryAfterMs: 7_000 });
  });

  it("never takes a 429 for leave to ask again at once", () => {
    expect(refuse(429, "", { "retry-after": "0" }).fault).toEqual({
      kind: "rate_limit",
      retryAfterMs: 1_000,
    });
  });

  it("takes a Retry-After that is a date", () => {
    const error = refuse(429, "", { "retry-after": new Date(NOW_MS + 5_000).toUTCString() });
    expect(error.fault).toEqual({ kind: "rate_limit", retryAfterMs: 5_000 });
  });

  it("caps a Retry-After that makes no sense", () => {
    const error = refuse(429, "", { "retry-after": "99999999999999999999" });
    expect(error.fault).toEqual({ kind: "rate_limit", retryAfterMs: 3 * 86_400_000 });
  });

  it("takes the ban's end from the text", () => {
    const body = {
      code: -1003,
      msg: `Way too much request weight used; IP banned until ${NOW_MS + 90_000}. Slow.`,
    };
    expect(refuse(418, body).fault).toEqual({ kind: "ip_ban", untilMs: NOW_MS + 90_000 });
  });

  it("takes the end of a firewall's ban from Retry-After, and none that is shorter than a ban", () => {
    const after = (seconds: string) => refuse(403, "<html></html>", { "retry-after": seconds }).fault;
    expect(after("600")).toEqual({ kind: "ip_ban", untilMs: NOW_MS + 600_000 });
    expect(after("1")).toEqual({ kind: "ip_ban", untilMs: NOW_MS + 120_000 });
  });

  it("takes the later end when text and Retry-After differ", () => {
    const body = { code: -1003, msg: `IP banned until ${NOW_MS + 90_000}.` };
    const error = refuse(418, body, { "retry-after": "120" });
    expect(error.fault).toEqual({ kind: "ip_ban", untilMs: NOW_MS + 120_000 });
  });

  it("takes a ban announced under another status for a ban", () => {
    const body = { code: -1003, msg: `IP banned until ${NOW_MS + 90_000}.` };
    expect(refuse(429, body).fault).toEqual({ kind: "ip_ban", untilMs: NOW_MS + 90_000 });
  });

  it("assumes the shortest ban when none of it says when it ends", () => {
    expect(refuse(418, "").fault).toEqual({ kind: "ip_ban", untilMs: NOW_MS + 120_000 });
    const atOnce = refuse(418, "", { "retry-after": "0" });
    expect(atOnce.fault).toEqual({ kind: "ip_ban", untilMs: NOW_MS + 120_000 });
  });

  it("does not stop for longer than the longest ban there is", () => {
    const body = { code: -1003, msg: "IP banned until 9999999999999." };
    expect(refuse(418, body).fault).toEqual({ kind: "ip_ban", untilMs: NOW_MS + 3 * 86_400_000 });
  });

  it("names the open mirror to who is turned away for the place, though the code is 0", () => {
    const error = refuse(451, { code: 0, msg: "Service unavailable from a restricted location" });
    expect(error.fault).toEqual({ kind: "geo_blocked" });
    expect(error.message).toContain(
      "api.example does not serve this place; https://data-api.binance.vision does: leave out exchange.rest_url, exchange.ws_url and exchange.trades, and it is asked",
    );
  });

  it.each([
    ["binance", "data-api.binance.vision"],
    ["binanceusdm", "fapi.binance.com"],
  ])("has no other host to name where there is none: %s, %s", (exchange, host) => {
    const { message } = refuse(451, { code: 0, msg: "restricted" }, {}, { exchange, host });
    expect(message).toMatch(
      `${host} does not serve this place; exchange.rest_url and exchange.ws_url together name other hosts`,
    );
    expect(message).not.toContain("leave out");
  });

  it("tells CloudFront's refusal of a country from the firewall's", () => {
    const body = "<html>The distribution is configured to block access from your country.</html>";
    expect(refuse(403, body).fault).toEqual({ kind: "geo_blocked" });
  });

  it("names exchange, endpoint, symbol, status, code, the exchange's words and the remedy", () => {
    expect(refuse(400, { code: -1121, msg: "Invalid symbol." }).message).toBe(
      'binance /api/v3/klines NOSUCH: HTTP 400, code -1121, "Invalid symbol."; ' +
        "check the symbol NOSUCH against the exchange's list of markets",
    );
  });

  it("quotes a page of HTML by its words, and not at length", () => {
    const message = refuse(502, `<html>\n<h1>Bad  Gateway</h1>${"x".repeat(5_000)}</html>`).message;
    expect(message).toContain('HTTP 502, "Bad Gateway');
    expect(message.length).toBeLessThan(300);
  });
});
