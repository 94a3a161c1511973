import { describe, expect, it } from "vitest";
import type { Fault } from "../../../../src/core/fault.js";
import { bodyRefusal, refusalError } from "../../../../src/exchanges/okx/errors.js";

const REQUEST = {
  host: "okx.example",
  endpoint: "/api/v5/market/candles",
  nativeSymbol: "NO-SUCH",
  receivedMs: 1_732_300_000_000,
};

const refuse = (status: number, body: unknown, headers: Record<string, string> = {}) => {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  return refusalError({ status, header: (name) => headers[name], text }, REQUEST);
};
const withCode = (code: string) => ({ code, msg: "the exchange's words", data: [] });

describe("bodyRefusal", () => {
  it.each<[string, Fault]>([
    ["50001", { kind: "maintenance" }],
    ["50002", { kind: "bad_request", code: "50002" }],
    ["50004", { kind: "timeout", timeoutMs: 10_000 }],
    ["50011", { kind: "rate_limit", retryAfterMs: 2_000 }],
    ["50013", { kind: "exchange", code: "50013" }],
    ["50026", { kind: "exchange", code: "50026" }],
    ["50039", { kind: "bad_request", code: "50039" }],
    ["50051", { kind: "geo_blocked" }],
    ["50121", { kind: "geo_blocked" }],
    ["50100", { kind: "auth", code: "50100" }],
    ["50114", { kind: "auth", code: "50114" }],
    ["50119", { kind: "auth", code: "50119" }],
    ["50047", { kind: "bad_symbol", code: "50047" }],
    ["51000", { kind: "bad_request", code: "51000" }],
    ["51001", { kind: "bad_symbol", code: "51001" }],
    ["51001_1101", { kind: "bad_symbol", code: "51001_1101" }],
    ["51029", { kind: "maintenance" }],
    ["59999", { kind: "exchange", code: "59999" }],
  ])("classes code %s", (code, fault) => {
    expect(bodyRefusal(withCode(code), REQUEST)?.fault).toEqual(fault);
  });

  it("finds nothing in an answer with code 0, or in one that is no envelope", () => {
    expect(bodyRefusal(withCode("0"), REQUEST)).toBeUndefined();
    expect(bodyRefusal([], REQUEST)).toBeUndefined();
  });

  it("names exchange, endpoint, symbol, code, the exchange's words and a remedy", () => {
    expect(bodyRefusal(withCode("51001"), REQUEST)?.message).toBe(
      `okx /api/v5/market/candles NO-SUCH: refused, code 51001, "the exchange's words"; check the symbol NO-SUCH against the exchange's list of markets`,
    );
  });
});

describe("refusalError", () => {
  it.each<[number, unknown, Fault]>([
    [429, withCode("50011"), { kind: "rate_limit", retryAfterMs: 2_000 }],
    [429, withCode("50013"), { kind: "exchange", code: "50013" }],
    [429, "slow down", { kind: "rate_limit", retryAfterMs: 2_000 }],
    [403, "<html>denied</html>", { kind: "ip_ban", untilMs: REQUEST.receivedMs + 120_000 }],
    [403, withCode("50035"), { kind: "auth", code: "50035" }],
    [403, "not available in your country", { kind: "geo_blocked" }],
    [451, "", { kind: "geo_blocked" }],
    [502, "Bad Gateway", { kind: "exchange", code: "HTTP 502" }],
    [302, "", { kind: "network" }],
    [401, "", { kind: "auth", code: "HTTP 401" }],
    [404, "", { kind: "bad_request", code: "HTTP 404" }],
  ])("classes status %i with %j", (status, body, fault) => {
    expect(refuse(status, body).fault).toEqual(fault);
  });

  it("names the hosts of the regions, of REST and of streams, to who is turned away for the place", () => {
    expect(refuse(451, "").message).toContain(
      "okx.example does not serve this place; set exchange.rest_url and exchange.ws_url to the hosts of your region (https://us.okx.com and wss://wsus.okx.com:8443, https://eea.okx.com and wss://wseea.okx.com:8443)",
    );
  });

  it("waits longer when it is told to, up to an hour", () => {
    const after = (seconds: string) => refuse(429, "", { "retry-after": seconds }).fault;
    expect(after("7")).toEqual({ kind: "rate_limit", retryAfterMs: 7_000 });
    expect(after("1")).toEqual({ kind: "rate_limit", retryAfterMs: 2_000 });
    expect(after("999999")).toEqual({ kind: "rate_limit", retryAfterMs: 3_600_000 });
  });

  it("keeps away from a firewall for as long as it says, and for two minutes at least", () => {
    const after = (seconds: string) => refuse(403, "<html></html>", { "retry-after": seconds }).fault;
    expect(after("600")).toEqual({ kind: "ip_ban", untilMs: REQUEST.receivedMs + 600_000 });
    expect(after("1")).toEqual({ kind: "ip_ban", untilMs: REQUEST.receivedMs + 120_000 });
  });
});
