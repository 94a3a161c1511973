// What Binance adds to the way of a REST request: request weight per minute as its headers count it, and its refusals.
import { WeightLimiter, type ServerTimeSample } from "../../core/net/weight-limiter.js";
import type { ExchangeOptions, VenueCondition } from "../exchange.js";
import { RestClient } from "../rest-client.js";
import { refusalError } from "./errors.js";

export interface BinanceHost {
  readonly id: string;
  readonly restUrl: string;
  /** Request weight a minute per IP, as published; exchangeInfo tells the current one. */
  readonly weightLimit: number;
}

export interface BinanceRest {
  readonly client: RestClient;
  /** Takes the weight limit the exchange publishes. */
  setWeightLimit(limit: number): void;
  readonly condition: () => VenueCondition;
}

/** @throws TickwellError `config` for a `restUrl` that is no address or a `rateLimitShare` outside (0, 1] */
export function createBinanceRest(host: BinanceHost, options: ExchangeOptions): BinanceRest {
  const limiter = new WeightLimiter({
    clock: options.clock,
    limit: host.weightLimit,
    share: options.rateLimitShare,
  });
  const client = new RestClient(
    {
      id: host.id,
      restUrl: host.restUrl,
      acquire: ({ weight }, signal) => limiter.acquire(weight, signal),
      pause(_question, { retryAfterMs, receivedMs }) {
        if (retryAfterMs === undefined) limiter.pauseUntilNextWindow();
        else limiter.pauseUntil(receivedMs + retryAfterMs);
      },
      observe(response, times) {
        const used = Number(response.header("x-mbx-used-weight-1m"));
        if (!Number.isFinite(used)) return;
        const serverMs = Date.parse(response.header("date") ?? "");
        const sample: ServerTimeSample | undefined = Number.isNaN(serverMs)
          ? undefined
          : { serverMs, resolutionMs: 1_000, ...times };
        limiter.observe(used, sample);
      },
      refusal: (response, question) => refusalError(response, { exchange: host.id, ...question }),
    },
    options,
  );
  return {
    client,
    setWeightLimit: (limit) => limiter.setLimit(limit),
    condition: () => ({
      bannedUntilMs: client.bannedUntilMs,
      limits: [{ name: "weight_1m", used: limiter.used, allowed: limiter.limit, windowMs: limiter.windowMs }],
    }),
  };
}
