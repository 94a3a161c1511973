// Builds a venue from a collector's config, with its bans kept in the store.
import { systemClock } from "../core/clock.js";
import { formatDuration } from "../core/duration.js";
import type { Log } from "../core/log.js";
import type { BanMemory } from "../core/net/ban-memory.js";
import { systemRandom } from "../core/random.js";
import type { Exchange, ExchangeOptions, RequestFailure } from "../exchanges/exchange.js";
import { createExchange } from "../exchanges/registry.js";
import type { CollectorConfig } from "./config-types.js";

/** The venue a collector asks. What fails is logged, unless the caller has more to do with it. */
export function exchangeFor(
  config: CollectorConfig,
  {
    bans,
    log,
    onFailure = (failure) => logFailure(log, failure),
    onSuccess,
  }: { bans: BanMemory; log: Log } & Pick<ExchangeOptions, "onFailure" | "onSuccess">,
): Exchange {
  return createExchange(config.exchange.name, {
    restUrl: config.exchange.restUrl,
    trades: config.exchange.trades,
    timeoutMs: config.request.timeoutMs,
    rateLimitShare: config.rateLimit.share,
    retry: config.retry,
    clock: systemClock,
    random: systemRandom,
    bans,
    log,
    onFailure,
    onSuccess,
  });
}

/** A request that will be repeated is a detail; one that was given up is the caller's to report. */
export function logFailure(log: Log, failure: RequestFailure): void {
  if (failure.willRetryInMs === undefined) return;
  log.debug(
    `${failure.message}; attempt ${failure.attempt}, again in ${formatDuration(failure.willRetryInMs)}`,
  );
}
