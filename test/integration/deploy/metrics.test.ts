// The metrics of the running program: what they say is what is stored, asked and received; and Prometheus' own check finds nothing.
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { VERSION } from "../../../src/app/version.js";
import { parseExposition, sumOf, type ExposedSample } from "../../support/exposition.js";
import { hasProgram, promtool } from "../../support/prometheus.js";
import { startInstance, type RunningInstance } from "../../support/running-instance.js";
import { until } from "../../support/until.js";

let instance: RunningInstance;
let text: string;
let samples: ExposedSample[];

const number = async (sql: string): Promise<number> => {
  const [row] = await instance.database.sql<{ n: number }>(`SELECT (${sql})::float8 AS n`);
  return row?.n ?? 0;
};
const rows = (table: string): Promise<number> => number(`SELECT count(*) FROM ${table}`);
const valueOf = (name: string, labels: Record<string, string> = {}): number | undefined =>
  sumOf(samples, name, labels);

beforeAll(async () => {
  instance = await startInstance({
    seed: 1,
    dataDir: tmpdir(),
    faults: [{ kind: "http_5xx", endpoint: "exchangeInfo", nth: 1 }],
  });
  const { runtime } = instance;
  await until(async () => (await rows("trades")) > 20 && (await rows("orderbook_snapshots")) > 2);
  await instance.settle();
  await runtime.figures.measure();
  text = await runtime.metrics.text();
  samples = parseExposition(text);
});
afterAll(() => instance.close());

describe("metrics of the running program", () => {
  it("count what is stored", async () => {
    for (const [dataType, table] of [
      ["trades", "trades"],
      ["orderbook", "orderbook_snapshots"],
      ["ohlcv", "ohlcv"],
    ] as const) {
      const labels = { exchange: "binance", data_type: dataType };
      expect(valueOf("tickwell_records_committed_total", labels) ?? 0).toBe(await rows(table));
    }
    expect(valueOf("tickwell_stage_rows")).toBe(0);
    expect(valueOf("tickwell_stage_rows_limit")).toBe(40_000);
    expect(valueOf("tickwell_commit_failures_total")).toBe(0);
    const commits = valueOf("tickwell_commit_duration_seconds_count") ?? 0;
    expect(commits).toBeGreaterThan(0);
    expect(valueOf("tickwell_commit_rows_count")).toBe(commits);
  });

  it("tell the lag of as many live records as the store has counted", async () => {
    for (const dataType of ["trades", "orderbook"]) {
      const labels = { exchange: "binance", data_type: dataType };
      const stored = await number(
        `SELECT sum(n) FROM live_minutes, unnest(lag_counts) AS n WHERE data_type = '${dataType}'`,
      );
      expect(stored).toBeGreaterThan(0);
      expect(valueOf("tickwell_commit_lag_seconds_count", labels)).toBe(stored);
      expect(valueOf("tickwell_commit_lag_seconds_bucket", { ...labels, le: "+Inf" })).toBe(stored);
      expect(valueOf("tickwell_live_records_total", labels)).toBe(
        await number(`SELECT sum(received) FROM live_minutes WHERE data_type = '${dataType}'`),
      );
    }
  });

  it("tell what is missing, as the ledger has it", async () => {
    const gaps = await instance.store.gaps({});
    const labels = { exchange: "binance", data_type: "ohlcv" };
    expect(valueOf("tickwell_gaps", labels)).toBe(gaps.length);
    expect(valueOf("tickwell_missing_seconds", labels)).toBe(
      gaps.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0) / 1_000,
    );
    const [state] = await instance.store.seriesStates({});
    if (!state) throw new Error("there is no series");
    expect(valueOf("tickwell_verified_ratio", labels)).toBeCloseTo(
      (state.coveredCandles + state.voidCandles) / state.expectedCandles,
      9,
    );
    expect(valueOf("tickwell_series", { exchange: "binance" })).toBe(3);
    expect(valueOf("tickwell_backfill_tasks", { status: "failed" })).toBe(0);
    expect(valueOf("tickwell_database_size_bytes")).toBeGreaterThan(1_000_000);
  });

  it("count requests and failures by endpoint", () => {
    const labels = { exchange: "binance", endpoint: "/api/v3/exchangeInfo" };
    expect(valueOf("tickwell_api_requests_total", labels)).toBe(2);
    expect(valueOf("tickwell_api_errors_total", labels)).toBe(1);
    expect(valueOf("tickwell_api_errors_total", { class: "exchange" })).toBe(1);
    const ofRest = (name: string): number =>
      samples
        .filter((sample) => sample.name === name && sample.labels.endpoint?.startsWith("/api/") === true)
        .reduce((sum, { value }) => sum + value, 0);
    expect(valueOf("tickwell_api_request_duration_seconds_count", { exchange: "binance" })).toBe(
      ofRest("tickwell_api_requests_total") - ofRest("tickwell_api_errors_total"),
    );
    expect(valueOf("tickwell_rate_limit_allowed", { limit: "weight_1m" })).toBe(6_000);
    expect(valueOf("tickwell_ban_until_timestamp_seconds", { exchange: "binance" })).toBe(0);
  });

  it("count messages and bytes of streams", () => {
    for (const channel of ["trades", "book"]) {
      const messages = valueOf("tickwell_stream_messages_total", { exchange: "binance", channel }) ?? 0;
      expect(messages).toBeGreaterThan(0);
      // No message of Binance is shorter than its envelope.
      expect(valueOf("tickwell_stream_received_bytes_total", { channel })).toBeGreaterThan(50 * messages);
    }
    expect(valueOf("tickwell_stream_reconnects_total")).toBe(0);
    expect(valueOf("tickwell_stream_unreadable_messages_total")).toBe(0);
  });

  it("tell when each cycle last came to its end", () => {
    const labels = { collector: "test", cycle: "collect" };
    const at = valueOf("tickwell_cycle_last_success_timestamp_seconds", labels) ?? 0;
    const started = valueOf("process_start_time_seconds") ?? Infinity;
    expect(at).toBeGreaterThan(started);
    expect(valueOf("tickwell_cycle_duration_seconds", labels)).toBeGreaterThan(0);
  });

  it("tell the version, the event loop's lag and the disk", () => {
    expect(valueOf("tickwell_build_info", { version: VERSION, node_version: process.version })).toBe(1);
    expect(valueOf("nodejs_eventloop_lag_p99_seconds")).toBeGreaterThan(0);
    expect(valueOf("tickwell_disk_free_bytes")).toBeGreaterThan(0);
  });

  it.skipIf(!hasProgram("promtool"))("pass promtool check metrics without a word", () => {
    expect(promtool(["check", "metrics"], text)).toEqual({ status: 0, output: "" });
  });

  it("are all listed in docs/metrics.md, and no others", () => {
    const exposed = [...text.matchAll(/^# TYPE (tickwell_\S+) /gm)].map(([, name]) => name).sort();
    const docs = readFileSync(new URL("../../../docs/metrics.md", import.meta.url), "utf8");
    const listed = [...docs.matchAll(/^\| `(tickwell_\w+)`/gm)].map(([, name]) => name).sort();
    expect(listed).toEqual(exposed);
  });
});
