// The rules a configuration asks for, on what they look at.
import { bans, fullStage, lateRecords, silentFeeds } from "./moving-rules.js";
import { databaseAway, diskFull, oldGaps } from "./stored-rules.js";
import { onSecondLook, type WatchRule } from "./watch-rule.js";

/** What is too long, too late or too little. */
export interface WatchLimits {
  readonly gapAgeMs: number;
  readonly silentAfterMs: number;
  readonly lagMs: number;
  /** Part of the stage, above 0 and at most 1. */
  readonly stageFill: number;
  readonly diskFreeBytes: number;
}

/** What is looked at. */
export interface Watched {
  readonly figures: Parameters<typeof oldGaps>[0] & Parameters<typeof diskFull>[0];
  readonly stage: Parameters<typeof fullStage>[0];
  readonly venues: Parameters<typeof bans>[0];
  readonly feeds: Parameters<typeof silentFeeds>[0];
  readonly lags: Parameters<typeof lateRecords>[0];
}

export function watchRules(limits: WatchLimits, watched: Watched): WatchRule[] {
  const { figures, stage, venues, feeds, lags } = watched;
  return [
    oldGaps(figures, limits.gapAgeMs),
    onSecondLook(databaseAway(figures)),
    diskFull(figures, limits.diskFreeBytes),
    bans(venues),
    silentFeeds(feeds, limits.silentAfterMs),
    onSecondLook(lateRecords(lags, limits.lagMs)),
    onSecondLook(fullStage(stage, limits.stageFill)),
  ];
}
