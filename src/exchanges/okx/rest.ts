// What OKX adds to the way of a REST request: limits per endpoint, and errors in answers with status 200.
import assert from "node:assert/strict";
import { PaceLimiter } from "../../core/net/pace-limiter.js";
import type { ExchangeOptions, VenueCondition } from "../exchange.js";
import { RestClient } from "../rest-client.js";
import { bodyRefusal, refusalError } from "./errors.js";

export const OKX_ENDPOINTS = {
  instruments: "/api/v5/public/instruments",
  time: "/api/v5/public/time",
  candles: "/api/v5/market/candles",
  historyCandles: "/api/v5/market/history-candles",
  historyTrades: "/api/v5/market/history-trades",
  books: "/api/v5/market/books",
  status: "/api/v5/system/status",
} as const;

const WINDOW_MS = 2_000;
/** Requests per endpoint and IP in every window, as documented. */
const LIMITS: Readonly<Record<string, { readonly limit: number; readonly windowMs: number }>> = {
  [OKX_ENDPOINTS.instruments]: { limit: 20, windowMs: WINDOW_MS },
  [OKX_ENDPOINTS.time]: { limit: 10, windowMs: WINDOW_MS },
  [OKX_ENDPOINTS.candles]: { limit: 40, windowMs: WINDOW_MS },
  [OKX_ENDPOINTS.historyCandles]: { limit: 20, windowMs: WINDOW_MS },
  [OKX_ENDPOINTS.historyTrades]: { limit: 20, windowMs: WINDOW_MS },
  [OKX_ENDPOINTS.books]: { limit: 40, windowMs: WINDOW_MS },
  [OKX_ENDPOINTS.status]: { limit: 1, windowMs: 5_000 },
};

export interface OkxRest {
  readonly client: RestClient;
  readonly condition: () => VenueCondition;
}

/** @throws TickwellError `config` for a `restUrl` that is no address or a `rateLimitShare` outside (0, 1] */
export function createOkxRest(options: ExchangeOptions): OkxRest {
  const { clock, rateLimitShare: share } = options;
  const limiters = new Map(
    Object.entries(LIMITS).map(([endpoint, { limit, windowMs }]) => [
      endpoint,
      new PaceLimiter({ clock, limit, windowMs, share }),
    ]),
  );
  const limiterOf = (endpoint: string): PaceLimiter => {
    const limiter = limiters.get(endpoint);
    assert(limiter, `no rate limit is known for ${endpoint}`);
    return limiter;
  };
  const client = new RestClient(
    {
      id: "okx",
      restUrl: "https://www.okx.com",
      acquire: ({ endpoint }, signal) => limiterOf(endpoint).acquire(signal),
      pause: ({ endpoint }, { retryAfterMs = WINDOW_MS, receivedMs }) =>
        limiterOf(endpoint).pauseUntil(receivedMs + retryAfterMs),
      refusal: refusalError,
      refusalInBody: bodyRefusal,
    },
    options,
  );
  return {
    client,
    condition: () => ({
      bannedUntilMs: client.bannedUntilMs,
      limits: [...limiters].map(([name, { used, limit, windowMs }]) => ({
        name,
        used,
        allowed: limit,
        windowMs,
      })),
    }),
  };
}
