import { expect, it } from "vitest";
import { resolveCollector } from "../../../src/app/config-resolve.js";
import { collectorSchema } from "../../../src/app/config-schema.js";
import { REQUEST_DEFAULTS } from "../../../src/exchanges/registry.js";

it("gives a venue made without a config what the config would have given it", () => {
  const config = resolveCollector(
    collectorSchema.parse({ exchange: "binance", symbols: [{ symbol: "BTC/USDT" }] }),
    "x",
  );
  expect(REQUEST_DEFAULTS).toEqual({
    timeoutMs: config.request.timeoutMs,
    rateLimitShare: config.rateLimit.share,
    retry: config.retry,
  });
});
