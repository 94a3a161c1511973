// The queue of backfill tasks: planned from gaps, claimed by workers of any process, finished under the claim's token.
// Times go in and out as epoch ms. Now is the database's own clock, unless a caller that lives in simulated time says
// otherwise.
import type { Pool, PoolClient } from "pg";
import { TickwellError } from "../core/fault.js";
import type { TimeRange } from "../core/range.js";
import { formatTime } from "../core/time.js";
import { isOnGrid, timeframeMs, type Timeframe } from "../core/timeframe.js";
import type { Database } from "./database.js";
import { storableText } from "./storable-text.js";
import type { SeriesKey } from "./series-key.js";

export const TASK_STATUSES = ["pending", "running", "completed", "failed"] as const;
export type TaskStatus = (typeof TASK_STATUSES)[number];

/** One missing range of one series that is to be fetched. */
export interface BackfillTask extends SeriesKey, TimeRange {
  readonly id: number;
  readonly market: string;
  readonly status: TaskStatus;
  /** Higher ones are claimed first. */
  readonly priority: number;
  /** Attempts that brought it no end. */
  readonly retryCount: number;
  readonly maxRetries: number;
  /** Not to be claimed before; undefined: at once. */
  readonly nextAttemptMs: number | undefined;
  readonly startedMs: number | undefined;
  readonly completedMs: number | undefined;
  readonly errorMessage: string | undefined;
  /** Candles the range holds. */
  readonly expectedRecords: number;
  /** Those of them that were stored when the last attempt ended, by coverage. */
  readonly actualRecords: number;
  readonly createdMs: number;
  readonly updatedMs: number;
  /** Who works on it; undefined unless it is running. */
  readonly worker: string | undefined;
}

/** What a worker must know to change a task it has claimed. */
export interface TaskClaim {
  readonly id: number;
  readonly claimToken: string;
}

export type ClaimedTask = BackfillTask & TaskClaim;

/** How an attempt ended. */
export type TaskOutcome =
  /** Coverage says that nothing is missing any more. */
  | { readonly status: "completed" }
  | { readonly status: "failed"; readonly errorMessage: string }
  /**
   * Back into the queue, not before `delayMs` from now nor before `notBeforeMs`. `isRetry` counts the attempt.
   */
  | {
      readonly status: "pending";
      readonly isRetry: boolean;
      readonly delayMs?: number;
      readonly notBeforeMs?: number | undefined;
      readonly errorMessage?: string | undefined;
    };

/** Now, for a caller in simulated time; the database's own clock when undefined. */
export interface AtTime {
  readonly nowMs?: number | undefined;
}

export interface PlanRequest extends AtTime {
  readonly series: readonly SeriesKey[];
  /** Only candles that open in here; all that is expected when undefined. */
  readonly range?: TimeRange | undefined;
  /** A longer gap becomes several tasks; default 10,000. */
  readonly taskCandlesMax?: number | undefined;
  readonly priority?: number | undefined;
  readonly maxRetries?: number | undefined;
}

/** What was added to the queue. */
export interface PlanReport {
  readonly tasks: number;
  readonly candles: number;
}

export interface NewTask extends SeriesKey, AtTime {
  /** On the timeframe's grid. */
  readonly range: TimeRange;
  readonly priority?: number | undefined;
  readonly maxRetries?: number | undefined;
}

export interface ClaimRequest extends AtTime {
  /** For people: who has it. */
  readonly worker: string;
  readonly leaseMs: number;
  /** How many at once; default 1. */
  readonly limit?: number;
  /** Only tasks of these markets; any when undefined. */
  readonly marketIds?: readonly number[] | undefined;
  /** Never these, even if their lease has run out. */
  readonly excludedIds?: readonly number[];
  /** None of these markets. */
  readonly excludedMarketIds?: readonly number[];
}

export interface TaskFilter {
  readonly statuses?: readonly TaskStatus[];
  readonly marketIds?: readonly number[] | undefined;
  /** Default 1,000. */
  readonly limit?: number;
}

/** All methods reject with a TickwellError of kind `database`. */
export interface TaskQueue {
  /** Queues the gaps of these series that no pending, running or failed task holds. One round trip for 500 series. */
  plan(request: PlanRequest): Promise<PlanReport>;
  /**
   * Queues one range, whatever is stored of it. A pending or running task that holds all of it is returned instead.
   * @throws TickwellError `bad_request` for a range that is empty or off the timeframe's grid
   */
  create(task: NewTask): Promise<BackfillTask>;
  /**
   * Takes what is due, in order: the highest priority, then the most recent; also what a worker has left with its lease run
   * out, which counts as an attempt: a task that costs every worker its life ends as failed.
   */
  claim(request: ClaimRequest): Promise<ClaimedTask[]>;
  /** Takes the leases anew. @returns the ids of the tasks that are still the caller's */
  renew(claims: readonly TaskClaim[], request: { readonly leaseMs: number } & AtTime): Promise<number[]>;
  /** Ends an attempt. @returns false, having changed nothing, when the task is no longer the caller's */
  finish(claim: TaskClaim, outcome: TaskOutcome, at?: AtTime): Promise<boolean>;
  /** Failed tasks go back into the queue with no attempt counted: these, or all. @returns their number */
  retryFailed(request?: { readonly ids?: readonly number[] | undefined } & AtTime): Promise<number>;
  /** Deletes completed and failed tasks that ended longer ago than `olderThanMs`. @returns their number */
  cleanup(request: { readonly olderThanMs: number } & AtTime): Promise<number>;
  /** Pending ones in the order in which they will be claimed, due or not. */
  pending(filter?: Omit<TaskFilter, "statuses">): Promise<BackfillTask[]>;
  /** Running, pending, failed, completed; each the most recent first. */
  list(filter?: TaskFilter): Promise<BackfillTask[]>;
  count(filter?: Omit<TaskFilter, "limit">): Promise<Record<TaskStatus, number>>;
}

const TASK_CANDLES_MAX = 10_000;
const RETRIES_MAX = 5;
/** Each series takes a lock of its own for the transaction, of which a server has some thousands. */
const SERIES_A_ROUND_MAX = 500;
const LISTED_MAX = 1_000;
/** Rows deleted in one statement. */
const CLEANUP_ROWS_MAX = 10_000;
const MESSAGE_CHARS_MAX = 2_000;

type Runner = Pick<PoolClient, "query">;

export class PostgresTaskQueue implements TaskQueue {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  plan(request: PlanRequest): Promise<PlanReport> {
    const { series, range } = request;
    return this.#database.attempt("plan backfill tasks", async (pool) => {
      const report = { tasks: 0, candles: 0 };
      for (let at = 0; at < series.length; at += SERIES_A_ROUND_MAX) {
        const round = series.slice(at, at + SERIES_A_ROUND_MAX);
        const { rows } = await pool.query<{ tasks: number; candles: number }>(
          "SELECT tasks, candles FROM plan_backfill_tasks($1, $2, $3, $4, $5, $6, $7, coalesce($8, now()))",
          [
            round.map((key) => key.marketId),
            round.map((key) => key.timeframe),
            time(range?.startMs),
            time(range?.endMs),
            request.taskCandlesMax ?? TASK_CANDLES_MAX,
            request.priority ?? 0,
            request.maxRetries ?? RETRIES_MAX,
            time(request.nowMs),
          ],
        );
        report.tasks += rows[0]?.tasks ?? 0;
        report.candles += rows[0]?.candles ?? 0;
      }
      return report;
    });
  }

  async create(task: NewTask): Promise<BackfillTask> {
    const { range, timeframe, marketId } = task;
    const isOnBoth = isOnGrid(range.startMs, timeframe) && isOnGrid(range.endMs, timeframe);
    if (range.startMs >= range.endMs || !isOnBoth) {
      throw new TickwellError(
        { kind: "bad_request", code: undefined },
        `backfill task: found [${formatTime(range.startMs)}, ${formatTime(range.endMs)}), expected a range that is not empty and begins and ends on the grid of ${timeframe}`,
      );
    }
    const key = [marketId, timeframe, formatTime(range.startMs), formatTime(range.endMs)];
    return this.#database.transaction("create a backfill task", async (client) => {
      await client.query(
        "SELECT pg_advisory_xact_lock(hashtextextended(format('backfill_tasks:%s:%s', $1::int, $2::text), 0))",
        [marketId, timeframe],
      );
      const [held] = await select(
        client,
        `WHERE t.market_id = $1 AND t.data_type = 'ohlcv' AND t.timeframe = $2 AND t.status IN ('pending', 'running')
           AND t.start_time <= $3 AND t.end_time >= $4 ORDER BY t.id LIMIT 1`,
        key,
      );
      if (held) return toTask(held);
      const { rows } = await client.query<TaskRow>(
        `INSERT INTO backfill_tasks AS t (market_id, timeframe, start_time, end_time, expected_records, priority, max_retries, created_at, updated_at)
         VALUES ($1, $2, $3, $4, $5, $6, $7, coalesce($8, now()), coalesce($8, now())) RETURNING ${COLUMNS}`,
        [
          ...key,
          (range.endMs - range.startMs) / timeframeMs(timeframe),
          task.priority ?? 0,
          task.maxRetries ?? RETRIES_MAX,
          time(task.nowMs),
        ],
      );
      return toTask(first(rows));
    });
  }

  claim(request: ClaimRequest): Promise<ClaimedTask[]> {
    return this.#database.attempt("claim a backfill task", async (pool) => {
      // Materialized: the choice must be made once, however the join is planned.
      const { rows } = await pool.query<TaskRow & { claim_token: string }>(
        `WITH spent AS (
           UPDATE backfill_tasks t SET status = 'failed', claim_token = NULL, lease_until = NULL, worker = NULL,
             retry_count = t.retry_count + 1, updated_at = coalesce($1, now()),
             error_message = format('worker %s died or was cut off while at it: its lease ran out, after %s tries', t.worker, t.retry_count + 1)
           WHERE t.id IN (
             SELECT id FROM backfill_tasks
             WHERE status = 'running' AND data_type = 'ohlcv' AND lease_until <= coalesce($1::timestamptz, now())
               AND retry_count >= max_retries
               AND ($2::int[] IS NULL OR market_id = ANY ($2)) AND id <> ALL ($3::bigint[])
             FOR UPDATE SKIP LOCKED)
         ), due AS MATERIALIZED (
           SELECT id FROM backfill_tasks
           WHERE status IN ('pending', 'running') AND data_type = 'ohlcv'
             AND (status = 'pending' AND coalesce(next_attempt_at <= coalesce($1::timestamptz, now()), true)
                  OR status = 'running' AND lease_until <= coalesce($1::timestamptz, now()) AND retry_count < max_retries)
             AND ($2::int[] IS NULL OR market_id = ANY ($2)) AND id <> ALL ($3::bigint[]) AND market_id <> ALL ($7::int[])
           ORDER BY priority DESC, end_time DESC, id LIMIT $4 FOR UPDATE SKIP LOCKED
         ), claimed AS (
           UPDATE backfill_tasks t SET status = 'running', claim_token = gen_random_uuid(), worker = $5,
             retry_count = t.retry_count + (t.status = 'running')::int,
             lease_until = coalesce($1, now()) + make_interval(secs => $6::float8 / 1000),
             started_at = coalesce($1, now()), updated_at = coalesce($1, now())
           FROM due WHERE t.id = due.id RETURNING t.*
         ) SELECT ${COLUMNS}, t.claim_token FROM claimed t ORDER BY t.priority DESC, t.end_time DESC, t.id`,
        [
          time(request.nowMs),
          request.marketIds ?? null,
          request.excludedIds ?? [],
          request.limit ?? 1,
          storableText(request.worker),
          request.leaseMs,
          request.excludedMarketIds ?? [],
        ],
      );
      return rows.map((row) => ({ ...toTask(row), claimToken: row.claim_token }));
    });
  }

  async renew(
    claims: readonly TaskClaim[],
    { leaseMs, nowMs }: { readonly leaseMs: number } & AtTime,
  ): Promise<number[]> {
    if (claims.length === 0) return [];
    return this.#database.attempt("renew the lease of a backfill task", async (pool) => {
      const { rows } = await pool.query<{ id: number }>(
        `UPDATE backfill_tasks t SET lease_until = coalesce($3, now()) + make_interval(secs => $4::float8 / 1000)
         FROM unnest($1::bigint[], $2::uuid[]) AS c (id, claim_token)
         WHERE t.id = c.id AND t.claim_token = c.claim_token AND t.status = 'running' RETURNING t.id`,
        [claims.map((claim) => claim.id), claims.map((claim) => claim.claimToken), time(nowMs), leaseMs],
      );
      return rows.map((row) => row.id);
    });
  }

  finish(claim: TaskClaim, outcome: TaskOutcome, { nowMs }: AtTime = {}): Promise<boolean> {
    const message = outcome.status === "completed" ? undefined : outcome.errorMessage;
    const { isRetry, delayMs, notBeforeMs } =
      outcome.status === "pending" ? outcome : { isRetry: false, delayMs: undefined, notBeforeMs: undefined };
    return this.#database.attempt("record how a backfill task ended", async (pool) => {
      const { rowCount } = await pool.query(
        `UPDATE backfill_tasks t SET status = $3, claim_token = NULL, lease_until = NULL, worker = NULL,
           updated_at = coalesce($4, now()),
           completed_at = CASE WHEN $3 = 'completed' THEN coalesce($4, now()) END,
           retry_count = t.retry_count + $5::boolean::int, error_message = $6,
           next_attempt_at = greatest(coalesce($4, now()) + make_interval(secs => $7::float8 / 1000), $8::timestamptz),
           actual_records = (
             SELECT coalesce(sum(extract(epoch FROM least(c.end_time, t.end_time) - greatest(c.start_time, t.start_time))), 0)
                    / extract(epoch FROM timeframe_length(t.timeframe))
             FROM coverage c WHERE c.market_id = t.market_id AND c.data_type = t.data_type AND c.timeframe = t.timeframe
               AND c.evidence <> 'exchange_void' AND c.start_time < t.end_time AND c.end_time > t.start_time)
         WHERE t.id = $1 AND t.claim_token = $2::uuid AND t.status = 'running'`,
        [
          claim.id,
          claim.claimToken,
          outcome.status,
          time(nowMs),
          isRetry,
          message === undefined ? null : storableText(message.slice(0, MESSAGE_CHARS_MAX)),
          delayMs ?? null,
          time(notBeforeMs),
        ],
      );
      return rowCount === 1;
    });
  }

  retryFailed({
    ids,
    nowMs,
  }: { readonly ids?: readonly number[] | undefined } & AtTime = {}): Promise<number> {
    return this.#database.attempt("retry failed backfill tasks", async (pool) => {
      const { rowCount } = await pool.query(
        `UPDATE backfill_tasks SET status = 'pending', retry_count = 0, next_attempt_at = NULL, updated_at = coalesce($2, now())
         WHERE status = 'failed' AND ($1::bigint[] IS NULL OR id = ANY ($1))`,
        [ids ?? null, time(nowMs)],
      );
      return rowCount ?? 0;
    });
  }

  cleanup({ olderThanMs, nowMs }: { readonly olderThanMs: number } & AtTime): Promise<number> {
    return this.#database.attempt("clean up backfill tasks", async (pool) => {
      let deleted = 0;
      // In portions: a table of a year's tasks is not locked in one go. Ends, since nothing old is added.
      for (let portion = CLEANUP_ROWS_MAX; portion === CLEANUP_ROWS_MAX; deleted += portion) {
        const { rowCount } = await pool.query(
          `DELETE FROM backfill_tasks WHERE id IN (
             SELECT id FROM backfill_tasks WHERE status IN ('completed', 'failed')
               AND updated_at < coalesce($1, now()) - make_interval(secs => $2::float8 / 1000)
             ORDER BY id LIMIT $3 FOR UPDATE SKIP LOCKED)`,
          [time(nowMs), olderThanMs, CLEANUP_ROWS_MAX],
        );
        portion = rowCount ?? 0;
      }
      return deleted;
    });
  }

  pending({ marketIds, limit }: Omit<TaskFilter, "statuses"> = {}): Promise<BackfillTask[]> {
    return this.#database.attempt("list backfill tasks", async (pool) => {
      const rows = await select(
        pool,
        `WHERE t.status = 'pending' AND ($1::int[] IS NULL OR t.market_id = ANY ($1))
         ORDER BY t.priority DESC, t.end_time DESC, t.id LIMIT $2`,
        [marketIds ?? null, limit ?? LISTED_MAX],
      );
      return rows.map(toTask);
    });
  }

  list({ statuses, marketIds, limit }: TaskFilter = {}): Promise<BackfillTask[]> {
    return this.#database.attempt("list backfill tasks", async (pool) => {
      const rows = await select(
        pool,
        `WHERE ($1::text[] IS NULL OR t.status = ANY ($1)) AND ($2::int[] IS NULL OR t.market_id = ANY ($2))
         ORDER BY array_position('{running,pending,failed,completed}', t.status), t.end_time DESC, t.id DESC LIMIT $3`,
        [statuses ?? null, marketIds ?? null, limit ?? LISTED_MAX],
      );
      return rows.map(toTask);
    });
  }

  count({ statuses, marketIds }: Omit<TaskFilter, "limit"> = {}): Promise<Record<TaskStatus, number>> {
    return this.#database.attempt("count backfill tasks", async (pool) => {
      const { rows } = await pool.query<{ status: TaskStatus; tasks: number }>(
        `SELECT status, count(*) AS tasks FROM backfill_tasks
         WHERE ($1::text[] IS NULL OR status = ANY ($1)) AND ($2::int[] IS NULL OR market_id = ANY ($2)) GROUP BY status`,
        [statuses ?? null, marketIds ?? null],
      );
      const of = (status: TaskStatus): number => rows.find((row) => row.status === status)?.tasks ?? 0;
      return {
        pending: of("pending"),
        running: of("running"),
        completed: of("completed"),
        failed: of("failed"),
      };
    });
  }
}

interface TaskRow {
  readonly id: number;
  readonly market_id: number;
  readonly market: string;
  readonly timeframe: Timeframe;
  readonly start_time: number;
  readonly end_time: number;
  readonly status: TaskStatus;
  readonly priority: number;
  readonly retry_count: number;
  readonly max_retries: number;
  readonly next_attempt_at: number | null;
  readonly started_at: number | null;
  readonly completed_at: number | null;
  readonly error_message: string | null;
  readonly expected_records: number;
  readonly actual_records: number;
  readonly created_at: number;
  readonly updated_at: number;
  readonly worker: string | null;
}

/** Of a row `t`. */
const COLUMNS = `t.id, t.market_id, t.timeframe, t.start_time, t.end_time, t.status, t.priority, t.retry_count, t.max_retries,
  t.next_attempt_at, t.started_at, t.completed_at, t.error_message, t.expected_records, t.actual_records, t.created_at, t.updated_at, t.worker,
  (SELECT e.name || ':' || m.symbol FROM markets m JOIN exchanges e ON e.id = m.exchange_id WHERE m.id = t.market_id) AS market`;

async function select(runner: Runner | Pool, where: string, values: unknown[]): Promise<TaskRow[]> {
  const { rows } = await runner.query<TaskRow>(`SELECT ${COLUMNS} FROM backfill_tasks t ${where}`, values);
  return rows;
}

function toTask(row: TaskRow): BackfillTask {
  return {
    id: row.id,
    marketId: row.market_id,
    market: row.market,
    timeframe: row.timeframe,
    startMs: row.start_time,
    endMs: row.end_time,
    status: row.status,
    priority: row.priority,
    retryCount: row.retry_count,
    maxRetries: row.max_retries,
    nextAttemptMs: row.next_attempt_at ?? undefined,
    startedMs: row.started_at ?? undefined,
    completedMs: row.completed_at ?? undefined,
    errorMessage: row.error_message ?? undefined,
    expectedRecords: row.expected_records,
    actualRecords: row.actual_records,
    createdMs: row.created_at,
    updatedMs: row.updated_at,
    worker: row.worker ?? undefined,
  };
}

function first<T>(rows: readonly T[]): T {
  const [row] = rows;
  if (row === undefined) throw new Error("the statement returned no row");
  return row;
}

function time(timeMs: number | undefined): string | null {
  return timeMs === undefined ? null : formatTime(timeMs);
}
