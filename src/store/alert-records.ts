// Which troubles are open, and whether the user has been told: what lets a process that starts again in the middle of
// one keep quiet about it.
import { formatTime } from "../core/time.js";
import type { Database } from "./database.js";
import { storableText } from "./storable-text.js";

export type AlertSeverity = "warning" | "critical";

/** A trouble that lasts. */
export interface OpenAlert {
  /** Unique among open alerts. */
  readonly key: string;
  readonly severity: AlertSeverity;
  /** Undefined where it is not about one exchange. */
  readonly exchange: string | undefined;
  readonly title: string;
  readonly text: string;
  readonly raisedMs: number;
  readonly lastSeenMs: number;
  /** How often it was raised, the first time included. */
  readonly occurrences: number;
  /** When a notifier had taken the message; undefined while nobody has been told. */
  readonly notifiedMs: number | undefined;
}

/** The end of a trouble. */
export interface AlertResolution {
  readonly atMs: number;
  readonly text: string;
  /** Undefined when nobody had to be told. */
  readonly notifiedMs: number | undefined;
}

/** What has happened to one key since it was last saved: first the end of the open alert, then a new one; either or both. */
export interface AlertChange {
  readonly key: string;
  readonly resolution: AlertResolution | undefined;
  /** `occurrences` counts those since the last save only. */
  readonly alert: OpenAlert | undefined;
}

/** All methods reject with a TickwellError of kind `database`. */
export interface AlertRecords {
  /** Troubles that last, the oldest first. */
  open(): Promise<OpenAlert[]>;
  /**
   * Saves all changes or none.
   * @returns when somebody was told of each alert that is open now, by key, epoch ms; keys nobody was told of are absent.
   *   It may have been another process, or an earlier run.
   */
  save(changes: readonly AlertChange[]): Promise<ReadonlyMap<string, number>>;
}

export class PostgresAlertRecords implements AlertRecords {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  open(): Promise<OpenAlert[]> {
    return this.#database.attempt("read open alerts", async (pool) => {
      const { rows } = await pool.query<AlertRow>(
        "SELECT * FROM alerts WHERE resolved_at IS NULL ORDER BY raised_at, id",
      );
      return rows.map(toAlert);
    });
  }

  save(changes: readonly AlertChange[]): Promise<ReadonlyMap<string, number>> {
    // Several processes may save the same keys at once: in one order, none waits for another in a circle.
    const ordered = changes.toSorted((a, b) => (a.key < b.key ? -1 : 1));
    return this.#database.transaction("record alerts", async (client) => {
      const resolved = ordered.flatMap(({ key, resolution }) => (resolution ? [{ key, ...resolution }] : []));
      if (resolved.length > 0) {
        await client.query(
          `UPDATE alerts AS a SET resolved_at = greatest(r.at, a.raised_at), resolution = r.text, recovery_notified_at = r.notified_at
           FROM unnest($1::text[], $2::timestamptz[], $3::text[], $4::timestamptz[]) AS r (key, at, text, notified_at)
           WHERE a.key = r.key AND a.resolved_at IS NULL`,
          [
            resolved.map((each) => storableText(each.key)),
            resolved.map((each) => formatTime(each.atMs)),
            resolved.map((each) => storableText(each.text)),
            resolved.map((each) => timeOrNull(each.notifiedMs)),
          ],
        );
      }
      const raised = ordered.flatMap(({ alert }) => (alert ? [alert] : []));
      if (raised.length === 0) return new Map();
      const { rows } = await client.query<{ at: number; trouble_notified_at: number | null }>(
        `WITH put AS (
           INSERT INTO alerts AS a (key, severity, exchange, title, text, raised_at, last_seen_at, occurrences, trouble_notified_at)
           SELECT key, severity, exchange, title, text, raised_at, last_seen_at, greatest(occurrences, 1), notified_at
           FROM unnest($1::text[], $2::text[], $3::text[], $4::text[], $5::text[], $6::timestamptz[], $7::timestamptz[], $8::bigint[], $9::timestamptz[])
             AS r (key, severity, exchange, title, text, raised_at, last_seen_at, occurrences, notified_at)
           ON CONFLICT (key) WHERE resolved_at IS NULL DO UPDATE SET
             severity = EXCLUDED.severity, title = EXCLUDED.title, text = EXCLUDED.text,
             last_seen_at = greatest(a.last_seen_at, EXCLUDED.last_seen_at),
             occurrences = a.occurrences + ($8::bigint[])[array_position($1::text[], a.key)],
             trouble_notified_at = coalesce(a.trouble_notified_at, EXCLUDED.trouble_notified_at)
           RETURNING key, trouble_notified_at
         ) SELECT array_position($1::text[], key) AS at, trouble_notified_at FROM put`,
        [
          raised.map((each) => storableText(each.key)),
          raised.map((each) => each.severity),
          raised.map((each) => (each.exchange === undefined ? null : storableText(each.exchange))),
          raised.map((each) => storableText(each.title)),
          raised.map((each) => storableText(each.text)),
          raised.map((each) => formatTime(each.raisedMs)),
          raised.map((each) => formatTime(each.lastSeenMs)),
          raised.map((each) => each.occurrences),
          raised.map((each) => timeOrNull(each.notifiedMs)),
        ],
      );
      const notified = new Map<string, number>();
      for (const row of rows) {
        const key = raised[row.at - 1]?.key;
        if (key !== undefined && row.trouble_notified_at !== null) notified.set(key, row.trouble_notified_at);
      }
      return notified;
    });
  }
}

interface AlertRow {
  readonly key: string;
  readonly severity: AlertSeverity;
  readonly exchange: string | null;
  readonly title: string;
  readonly text: string;
  readonly raised_at: number;
  readonly last_seen_at: number;
  readonly occurrences: number;
  readonly trouble_notified_at: number | null;
}

function toAlert(row: AlertRow): OpenAlert {
  return {
    key: row.key,
    severity: row.severity,
    exchange: row.exchange ?? undefined,
    title: row.title,
    text: row.text,
    raisedMs: row.raised_at,
    lastSeenMs: row.last_seen_at,
    occurrences: row.occurrences,
    notifiedMs: row.trouble_notified_at ?? undefined,
  };
}

function timeOrNull(timeMs: number | undefined): string | null {
  return timeMs === undefined ? null : formatTime(timeMs);
}
