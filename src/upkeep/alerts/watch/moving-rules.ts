// Rules about what is under way: bans, streams without a message, records that are late, a stage that fills.
import type { Histogram } from "../../../core/counts.js";
import { formatDuration } from "../../../core/duration.js";
import { formatTime } from "../../../core/time.js";
import type { RestExchange } from "../../../exchanges/exchange.js";
import type { Stage } from "../../../pipeline/stage/stage.js";
import type { LagOfExchange } from "../../metrics/commit-counts.js";
import type { VenueFeed } from "../../metrics/intake-metrics.js";
import type { WatchRule } from "./watch-rule.js";

export function bans(venues: () => Iterable<Pick<RestExchange, "id" | "condition">>): WatchRule {
  return {
    kind: "ban",
    over: "the ban is over",
    look: () =>
      [...venues()].flatMap(({ id, condition }) => {
        const untilMs = condition?.().bannedUntilMs;
        if (untilMs === undefined) return [];
        return {
          key: `ban:${id}`,
          severity: "critical" as const,
          exchange: id,
          title: `${id} has banned this address`,
          text: `until ${formatTime(untilMs)}; nothing is asked before, and what is missed is fetched then. Lower rate_limit.share`,
        };
      }),
  };
}

/** Of all streams of an exchange together no message for so long: one market that is quiet is none. */
export function silentFeeds(feeds: () => Iterable<VenueFeed>, silentAfterMs: number): WatchRule {
  const seen = new Map<string, { messages: number; sinceMs: number }>();
  return {
    kind: "silent",
    over: "messages come in again",
    look(nowMs) {
      const messages = new Map<string, number>();
      for (const { exchange, feed } of feeds()) {
        const sum = Object.values(feed.traffic).reduce((total, each) => total + each.messages, 0);
        messages.set(exchange, (messages.get(exchange) ?? 0) + sum);
      }
      return [...messages].flatMap(([exchange, count]) => {
        const before = seen.get(exchange);
        if (before?.messages !== count) {
          seen.set(exchange, { messages: count, sinceMs: nowMs });
          return [];
        }
        if (nowMs - before.sinceMs < silentAfterMs) return [];
        return {
          key: `silent:${exchange}`,
          severity: "critical" as const,
          exchange,
          title: `${exchange}: its streams are silent`,
          text: `no message for ${formatDuration(silentAfterMs)}; candles are still fetched by REST, and trades as far as the exchange keeps them`,
        };
      });
    },
  };
}

/** Part of the records of a look that may be late. */
const LATE_SHARE = 0.05;
/** Fewer records than this tell nothing. */
const RECORDS_MIN = 20;

/** More than a twentieth of the live records since the last look were committed so late. */
export function lateRecords(lags: () => Iterable<LagOfExchange>, lagMs: number): WatchRule {
  const before = new Map<string, { count: number; late: number }>();
  return {
    kind: "lag",
    over: "live records are stored in time again",
    look: () =>
      [...lags()].flatMap(({ exchange, dataType, histogram }) => {
        const name = `${exchange} ${dataType}`;
        const now = { count: histogram.count, late: countAbove(histogram, lagMs / 1_000) };
        const then = before.get(name) ?? { count: 0, late: 0 };
        before.set(name, now);
        const records = now.count - then.count;
        if (records < RECORDS_MIN || now.late - then.late <= LATE_SHARE * records) return [];
        return {
          key: `lag:${name}`,
          severity: "warning" as const,
          exchange,
          title: `${name}: live records are late`,
          text: `more than one in ${1 / LATE_SHARE} is stored over ${formatDuration(lagMs)} after its time; the writer, the network, or a clock that is wrong`,
        };
      }),
  };
}

/** By whole ranges: what lies in the range of the bound counts as in time. */
function countAbove({ bounds, counts }: Histogram, bound: number): number {
  const at = bounds.findIndex((each) => each >= bound);
  return at < 0 ? (counts.at(-1) ?? 0) : counts.slice(at + 1).reduce((sum, count) => sum + count, 0);
}

export function fullStage(stage: Pick<Stage, "load">, fillMax: number): WatchRule {
  return {
    kind: "stage",
    over: "the stage has drained",
    look() {
      const { rows, rowsMax } = stage.load;
      if (rows < fillMax * rowsMax) return [];
      return [
        {
          key: "stage:fill",
          severity: "warning",
          title: "the stage fills",
          text: `more than ${Math.round(fillMax * 100)} % of ${rowsMax} records wait for the database; beyond it changes of books are given up, and then feeds wait`,
        },
      ];
    },
  };
}
