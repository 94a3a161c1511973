// What `/status` tells of the process that collects: its collectors, connections, stage, writer and rate limits.
import { statfs } from "node:fs/promises";
import type { Clock } from "../core/clock.js";
import { formatTime } from "../core/time.js";
import type { RestExchange } from "../exchanges/exchange.js";
import type { LiveHub } from "../pipeline/live-hub.js";
import type { Pipeline } from "../pipeline/pipeline.js";
import type { Status } from "../web/contract.js";
import type { ProcessView } from "../web/process-view.js";

export interface ProcessMonitorParts {
  /** Our clock. */
  readonly clock: Clock;
  readonly hub: LiveHub;
  readonly pipeline: Pick<Pipeline, "stage" | "writes">;
  readonly stageKind: "memory" | "redis";
  readonly venues: () => Iterable<Pick<RestExchange, "id" | "condition">>;
  /** Whose disk the database lies on; undefined where it is another machine's. */
  readonly dataDir: string | undefined;
}

type CollectorStatus = Status["collectors"][number];

/** The writer's rate is that of the last minute or so. */
const RATE_OVER_MS = 60_000;
const SAMPLE_EVERY_MS = 1_000;

export class ProcessMonitor implements ProcessView {
  readonly startedMs: number;
  readonly #parts: ProcessMonitorParts;
  readonly #collectors = new Map<string, CollectorStatus>();
  readonly #samples: { readonly atMs: number; readonly rows: number }[] = [];
  #lastCommitMs: number | undefined;
  #failuresThen = 0;

  constructor(parts: ProcessMonitorParts) {
    this.#parts = parts;
    this.startedMs = parts.clock.nowMs();
  }

  /** What has become of a collector; what is not given stays as it was. */
  note(name: string, change: Partial<Omit<CollectorStatus, "name">>): void {
    const known = this.#collectors.get(name) ?? {
      name,
      exchange: "",
      state: "starting",
      series: 0,
      missing_candles: null,
      last_cycle_at: null,
      detail: null,
    };
    this.#collectors.set(name, { ...known, ...change });
  }

  /** A cycle has ended; with how many candles missing, and what failed in it. */
  noteCycle(
    name: string,
    report: {
      readonly series: number;
      readonly missingCandles: number;
      readonly failures: readonly unknown[];
    },
    detail: string | null,
  ): void {
    this.note(name, {
      state: report.failures.length > 0 ? "failing" : "running",
      series: report.series,
      missing_candles: report.missingCandles,
      last_cycle_at: formatTime(this.#parts.clock.nowMs()),
      detail,
    });
  }

  /** After each commit. */
  noteCommit(): void {
    const { clock, pipeline } = this.#parts;
    this.#lastCommitMs = clock.nowMs();
    this.#failuresThen = pipeline.writes.failures;
  }

  collectors(): Status["collectors"] {
    return [...this.#collectors.values()];
  }

  connections(): Status["connections"] {
    return this.#parts.hub.feeds().flatMap((feed) =>
      feed.connections().map(({ path, channels, connectedMs, activeMs, breaks }) => ({
        exchange: feed.exchange,
        state: connectedMs === undefined ? ("connecting" as const) : ("open" as const),
        channels,
        open_since: connectedMs === undefined ? null : formatTime(Math.floor(connectedMs)),
        last_message_at: activeMs === undefined ? null : formatTime(Math.floor(activeMs)),
        detail: breaks > 0 ? `${path.split("?")[0]}; broken ${breaks} times` : (path.split("?")[0] ?? null),
      })),
    );
  }

  stage(): Status["stage"] {
    const { rows, rowsMax } = this.#parts.pipeline.stage.load;
    return { kind: this.#parts.stageKind, rows, rows_max: rowsMax };
  }

  writer(): Status["writer"] {
    const { clock, pipeline } = this.#parts;
    const nowMs = clock.nowMs();
    const rows = pipeline.writes.rows.sum;
    const newest = this.#samples.at(-1);
    if (!newest || nowMs - newest.atMs >= SAMPLE_EVERY_MS) this.#samples.push({ atMs: nowMs, rows });
    while (this.#samples.length > 2 && nowMs - (this.#samples[0]?.atMs ?? nowMs) > RATE_OVER_MS)
      this.#samples.shift();
    const first = this.#samples[0];
    const overMs = first ? nowMs - first.atMs : 0;
    return {
      rows_per_second: first && overMs > 0 ? Math.round(((rows - first.rows) / overMs) * 1e5) / 100 : 0,
      rows_total: rows,
      last_commit_at: this.#lastCommitMs === undefined ? null : formatTime(this.#lastCommitMs),
      is_waiting: pipeline.writes.failures > this.#failuresThen,
    };
  }

  rateLimits(): Status["rate_limits"] {
    return [...this.#parts.venues()].flatMap((venue) =>
      (venue.condition?.().limits ?? []).map(({ name, used, allowed, windowMs }) => ({
        exchange: venue.id,
        name,
        used,
        limit: allowed,
        window_ms: windowMs,
      })),
    );
  }

  async diskFreeBytes(): Promise<number | undefined> {
    const { dataDir } = this.#parts;
    if (dataDir === undefined) return undefined;
    const { bavail, bsize } = await statfs(dataDir);
    return bavail * bsize;
  }
}
