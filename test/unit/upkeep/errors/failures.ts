// Failed and answered requests for tests, at a fixed time unless told otherwise.
import type { RequestFailure, RequestSuccess } from "../../../../src/exchanges/exchange.js";

export const T0 = Date.UTC(2024, 0, 1);

export function failure(values: Partial<RequestFailure> = {}): RequestFailure {
  return {
    exchange: "binance",
    endpoint: "/api/v3/klines",
    params: { symbol: "BTCUSDT" },
    nativeSymbol: "BTCUSDT",
    fault: { kind: "exchange", code: "HTTP 503" },
    message: "binance /api/v3/klines BTCUSDT: HTTP 503",
    atMs: T0,
    attempt: 1,
    willRetryInMs: undefined,
    ...values,
  };
}

export function success(values: Partial<RequestSuccess> = {}): RequestSuccess {
  return {
    exchange: "binance",
    endpoint: "/api/v3/klines",
    nativeSymbol: "BTCUSDT",
    atMs: T0,
    ...values,
  };
}
