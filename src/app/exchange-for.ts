// Builds a venue from a collector's config, with its bans kept in the store.
import { systemClock } from "../core/clock.js";
import { formatDuration } from "../core/duration.js";
import type { Log } from "../core/log.js";
import type { BanMemory } from "../core/net/ban-memory.js";
import { systemRandom } from "../core/random.js";
import type { Exchange, RequestFailure } from "../exchanges/exchange.js";
import { createExchange } from "../exchanges/registry.js";
import type { CollectorConfig } from "./config-types.js";

/** The venue a collector asks. */
export function exchangeFor(config: CollectorConfig, { bans, log }: { bans: BanMemory; log: Log }): Exchange {
  return createExchange(config.exchange.name, {
    restUrl: config.exchange.restUrl,
    timeoutMs: config.request.timeoutMs,
    rateLimitShare: config.rateLimit.share,
    retry: config.retry,
    clock: systemClock,
    random: systemRandom,
    bans,
    log,
    onFailure: (failure) => logFailure(log, failure),
  });
}

/** A request that will be repeated is a detail; one that was given up is the caller's to report. */
function logFailure(log: Log, failure: RequestFailure): void {
  if (failure.willRetryInMs === undefined) return;
  log.debug(
    `${failure.message}; attempt ${failure.attempt}, again in ${formatDuration(failure.willRetryInMs)}`,
  );
}
