// What every route is handed, and what it is made of.
import type { Clock } from "../../core/clock.js";
import type { Log } from "../../core/log.js";
import type { TimeRange } from "../../core/range.js";
import { formatTime } from "../../core/time.js";
import type { LiveHub } from "../../pipeline/live-hub.js";
import type { Store } from "../../store/store.js";
import { PAGE_ROWS_DEFAULT, type Query, type RouteName } from "../contract.js";
import type { MarketDirectory } from "../market-directory.js";
import { ApiProblem } from "../problem.js";
import type { Reply } from "../reply.js";
import type { MarketBoard } from "../market-board.js";
import type { StatusBoard } from "../status-board.js";

/** What routes share for the life of the server. */
export interface RouteParts {
  readonly store: Store;
  readonly directory: MarketDirectory;
  readonly board: MarketBoard;
  readonly status: StatusBoard;
  readonly hub: LiveHub;
  /** By which the stored data are new or old: simulated where they are. */
  readonly clock: Clock;
  readonly log: Log;
}

/** One request. */
export interface Call<Name extends RouteName> extends RouteParts {
  readonly query: Query<Name>;
  /** Of the path. */
  readonly params: Readonly<Record<string, unknown>>;
  readonly mayWrite: boolean;
  /** Aborted when the client has gone. */
  readonly signal: AbortSignal;
}

export type Route<Name extends RouteName> = (call: Call<Name>) => Promise<Reply>;

/** `[from, to)`; from the epoch and up to now where nothing is said. @throws ApiProblem 400 */
export function rangeOf(
  { from, to }: { readonly from?: number | undefined; readonly to?: number | undefined },
  { nowMs, lengthMs }: { nowMs: number; lengthMs?: number },
): TimeRange {
  const endMs = to ?? Math.max(nowMs, from ?? 0);
  const startMs = from ?? (lengthMs === undefined ? 0 : Math.max(0, endMs - lengthMs));
  if (startMs > endMs)
    throw new ApiProblem(
      400,
      `from: ${formatTime(startMs)} is after to, ${formatTime(endMs)}; a range is [from, to)`,
      { parameter: "from" },
    );
  return { startMs, endMs };
}

/** Rows of a page of JSON. */
export function pageSize(limit: number | undefined): number {
  return limit ?? PAGE_ROWS_DEFAULT;
}

export function timeOrNull(timeMs: number | null | undefined): string | null {
  return timeMs === null || timeMs === undefined ? null : formatTime(Math.floor(timeMs));
}
