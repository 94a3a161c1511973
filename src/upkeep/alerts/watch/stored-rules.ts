// Rules about what is stored: gaps that stay, a database that does not answer, a disk that fills.
import { formatDuration, formatSize } from "../../../core/duration.js";
import { formatMinute } from "../../../core/time.js";
import type { Figures } from "../../metrics/figures.js";
import type { WatchRule } from "./watch-rule.js";

/** Gaps the exchange was asked about and that have been known for so long. Trades and candles; nobody can fetch a past book. */
export function oldGaps(figures: Pick<Figures, "store" | "isReachable">, gapAgeMs: number): WatchRule {
  return {
    kind: "gap",
    over: "what could be filled is filled",
    look(nowMs) {
      if (!figures.isReachable || !figures.store) return undefined;
      return figures.store.series.flatMap((series) => {
        const { market, exchange, dataType, timeframe, oldestGapFoundMs, gaps, missingMs } = series;
        if (oldestGapFoundMs === undefined || nowMs - oldestGapFoundMs < gapAgeMs) return [];
        const name = [market, dataType === "ohlcv" ? timeframe : dataType].join(" ");
        return {
          key: `gap:${name}`,
          severity: "warning" as const,
          exchange,
          title: `${name}: a gap stays open`,
          text: `${gaps} ${gaps === 1 ? "gap" : "gaps"} with ${formatDuration(missingMs)} in all, the oldest known since ${formatMinute(oldestGapFoundMs)} UTC; \`tickwell gaps\` says why`,
        };
      });
    },
  };
}

export function databaseAway(figures: Pick<Figures, "isReachable">): WatchRule {
  return {
    kind: "database",
    over: "the database answers again",
    look: () =>
      figures.isReachable
        ? []
        : [
            {
              key: "database:away",
              severity: "critical",
              title: "the database does not answer",
              text: "what is received waits in the stage; when that is full, feeds wait and what they miss is fetched later",
            },
          ],
  };
}

export function diskFull(figures: Pick<Figures, "disk">, freeBytesMin: number): WatchRule {
  return {
    kind: "disk",
    over: "there is room again",
    look() {
      if (!figures.disk) return undefined;
      const { freeBytes, sizeBytes } = figures.disk;
      if (freeBytes >= freeBytesMin) return [];
      return [
        {
          key: "disk:data",
          severity: "critical",
          title: "the disk of the data directory is nearly full",
          // Rounded, so that it is no news with every row.
          text: `less than ${formatSize(freeBytesMin)} of ${formatSize(sizeBytes)} are free; \`storage.retention\` drops what is old, or add room`,
        },
      ];
    },
  };
}
