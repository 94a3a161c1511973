import { describe, expect, it } from "vitest";
import { toErrorRecord } from "../../../../src/upkeep/errors/error-record.js";
import { failure } from "./failures.js";

describe("toErrorRecord", () => {
  it.each([
    "signature",
    "sign",
    "apiKey",
    "api_key",
    "X-MBX-APIKEY",
    "OK-ACCESS-PASSPHRASE",
    "passphrase",
    "password",
    "secret",
    "access_token",
    "listenKey",
    "Authorization",
  ])("keeps no value of the parameter %s, neither in the parameters nor in the message", (name) => {
    const record = toErrorRecord(
      failure({
        params: { symbol: "BTCUSDT", [name]: "hunter/2?" },
        message: "refused hunter/2? (hunter%2F2%3F)",
      }),
    );
    expect(record.params).toEqual({ symbol: "BTCUSDT", [name]: "***" });
    expect(record.message).toBe("refused *** (***)");
  });

  it("keeps the parameters of a market-data request as they are", () => {
    const params = { symbol: "BTCUSDT", interval: "1m", startTime: "1704067200000", limit: "1000" };
    expect(toErrorRecord(failure({ params })).params).toEqual(params);
  });

  it("masks the secrets of a URL in a message and keeps the words after it", () => {
    const message = "GET https://x.test/api?symbol=A&signature=abcdef&token=t0k failed with 500";
    expect(toErrorRecord(failure({ message })).message).toBe(
      "GET https://x.test/api?symbol=A&signature=***&token=*** failed with 500",
    );
  });

  it.each([
    [{ kind: "bad_symbol", code: "-1121" }, "HTTP 400, code -1121", "-1121"],
    [{ kind: "exchange", code: "HTTP 503" }, "HTTP 503", "HTTP 503"],
    [{ kind: "rate_limit", retryAfterMs: 1_000 }, 'x: HTTP 429, "slow down"', "HTTP 429"],
    [{ kind: "timeout", timeoutMs: 30 }, "no complete answer within 30 ms", undefined],
  ] as const)("takes the code of %o", (fault, message, code) => {
    expect(toErrorRecord(failure({ fault, message })).code).toBe(code);
  });

  it("bounds what a broken gateway sends", () => {
    const record = toErrorRecord(
      failure({ message: "<".repeat(100_000), params: { q: "x".repeat(10_000) } }),
    );
    expect(record.message).toHaveLength(2_001);
    expect(record.params.q).toHaveLength(501);
  });
});
