// How this process and its database stand: the answer of `/status`, made at most once in a while, whoever asks.
import type { Clock } from "../core/clock.js";
import { formatTime } from "../core/time.js";
import type { DatabaseState } from "../store/api/database-state.js";
import type { Store } from "../store/store.js";
import type { Status } from "./contract.js";
import { NO_ABSENCES, type MarketBoard } from "./market-board.js";
import type { MarketDirectory } from "./market-directory.js";
import type { ProcessView } from "./process-view.js";
import { Recent } from "./recent.js";

const DAY_MS = 86_400_000;
const FRESH_MS = 2_000;
/** How fast the database grows is told when it has been watched for this long. */
const GROWTH_AFTER_MS = 60_000;
/** And from its size this long ago at most. */
const GROWTH_OVER_MS = 6 * 3_600_000;
const SIZES_KEPT = 400;

export interface StatusParts {
  readonly store: Store;
  readonly directory: MarketDirectory;
  readonly board: MarketBoard;
  readonly process: ProcessView;
  readonly version: string;
  /** By which the data are new or old. */
  readonly clock: Clock;
  /** The machine's. */
  readonly wallClock: Clock;
  /** Who follows the stream. */
  readonly stream: () => Status["stream"];
  readonly isEmbedded: boolean;
}

export class StatusBoard {
  readonly #parts: StatusParts;
  readonly #recent: Recent<Omit<Status, "may_write">>;
  readonly #sizes: { readonly atMs: number; readonly bytes: number }[] = [];

  constructor(parts: StatusParts) {
    this.#parts = parts;
    this.#recent = new Recent({ read: () => this.#read(), clock: parts.wallClock, freshMs: FRESH_MS });
  }

  async get(mayWrite: boolean): Promise<Status> {
    return { ...(await this.#recent.get()), may_write: mayWrite };
  }

  async #read(): Promise<Omit<Status, "may_write">> {
    const { store, directory, board, process, version, clock, wallClock, stream, isEmbedded } = this.#parts;
    const nowMs = clock.nowMs();
    const wallMs = wallClock.nowMs();
    const database = await this.#database(nowMs);
    const markets = database ? await directory.all() : [];
    const totals = database
      ? await board.totals()
      : { series: 0, candlesExpected: 0, candlesMissing: 0, absences: NO_ABSENCES };
    const diskFree = await process.diskFreeBytes().catch(() => undefined);
    const { capabilities } = store;
    return {
      version,
      is_simulated: markets.some((market) => market.isSimulated),
      time: formatTime(nowMs),
      started_at: formatTime(process.startedMs),
      uptime_ms: Math.max(0, wallMs - process.startedMs),
      collectors: process.collectors(),
      connections: process.connections(),
      stage: process.stage(),
      writer: process.writer(),
      rate_limits: process.rateLimits(),
      bans: (database?.bans ?? []).map(({ host, untilMs, reason }) => ({
        host,
        until: formatTime(untilMs),
        reason,
      })),
      database: {
        kind: isEmbedded ? "embedded" : "postgresql",
        server_version: store.serverVersion,
        timescale_version: capabilities.timescale?.version ?? null,
        is_reachable: database !== undefined,
        bytes: database?.bytes ?? null,
        bytes_per_day: this.#growth(wallMs, database?.bytes),
        disk_free_bytes: diskFree ?? null,
        tables: (database?.tables ?? []).map(({ name, bytes, rows }) => ({
          name,
          bytes,
          rows: rows === undefined ? null : Math.max(0, Math.round(rows)),
        })),
      },
      totals: {
        markets: markets.length,
        series: totals.series,
        candles_covered: Math.max(0, totals.candlesExpected - totals.candlesMissing),
        candles_missing: totals.candlesMissing,
        ...totals.absences,
        pending_tasks: database?.tasks.pending ?? 0,
        running_tasks: database?.tasks.running ?? 0,
        failed_tasks: database?.tasks.failed ?? 0,
        errors_24h: (database?.errors ?? []).reduce((sum, { count }) => sum + count, 0),
      },
      errors_by_class: (database?.errors ?? []).map(({ kind, count, lastMs }) => ({
        error_type: kind,
        count,
        last_time: formatTime(Math.floor(lastMs)),
      })),
      stream: stream(),
    };
  }

  /** Undefined while the database does not answer: how the rest stands is worth knowing then above all. */
  async #database(nowMs: number): Promise<DatabaseState | undefined> {
    try {
      return await this.#parts.store.api.databaseState({ sinceMs: nowMs - DAY_MS, nowMs });
    } catch {
      return undefined;
    }
  }

  /** Bytes a day over the time it was watched. */
  #growth(nowMs: number, bytes: number | undefined): number | null {
    if (bytes !== undefined) this.#sizes.push({ atMs: nowMs, bytes });
    while (this.#sizes.length > 1 && nowMs - (this.#sizes[0]?.atMs ?? nowMs) > GROWTH_OVER_MS)
      this.#sizes.shift();
    // Every other one: the same time with half of the points.
    if (this.#sizes.length > SIZES_KEPT)
      this.#sizes.splice(0, this.#sizes.length, ...this.#sizes.filter((_, i) => i % 2 === 0));
    const first = this.#sizes[0];
    const last = this.#sizes.at(-1);
    if (!first || !last || last.atMs - first.atMs < GROWTH_AFTER_MS) return null;
    return Math.round(((last.bytes - first.bytes) / (last.atMs - first.atMs)) * DAY_MS);
  }
}
