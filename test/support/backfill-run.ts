// A backfill to be disturbed: a slowed exchange with a known truth, a folder with an embedded database, the command line as
// a process, and the proof at the end that what is stored is exactly right.
import { afterEach, expect } from "vitest";
import pg from "pg";
import { systemClock } from "../../src/core/clock.js";
import { totalMs, type TimeRange } from "../../src/core/range.js";
import { openStore } from "../../src/store/open-store.js";
import type { FaultPlanInput } from "../../simulator/fault-plan.js";
import { startSimulatedExchange, type SimulatedExchange } from "../../simulator/simulated-exchange.js";
import { expectPartition, type RunSql } from "./partition.js";
import { testSeed } from "./seed.js";
import { spawnCli, type CliProcess, type SpawnOptions } from "./spawn-cli.js";
import { differencesFromTruth } from "./truth.js";
import { until } from "./until.js";
import { newWorkFolder, type WorkFolder } from "./work-folder.js";

const DAY_MS = 86_400_000;
const START_MS = Date.UTC(2024, 0, 1);

const exchanges: SimulatedExchange[] = [];
afterEach(async () => {
  for (const exchange of exchanges.splice(0)) await exchange.close();
});

export interface BackfillOptions {
  readonly days: number;
  /** How much later each page of candles comes. */
  readonly delayMs: number;
  /** Where it is stored; embedded when absent. */
  readonly databaseUrl?: string;
  /** Minutes the exchange never had, from the start of the range. */
  readonly outageMinutes?: number;
}

export async function newBackfill(options: BackfillOptions): Promise<BackfillRun> {
  const seed = testSeed();
  const outageMs = (options.outageMinutes ?? 0) * 60_000;
  const exchange = await startSimulatedExchange({
    seed,
    clock: systemClock,
    faults: {
      faults: [
        { kind: "slow", endpoint: "klines", delay_ms: options.delayMs },
        { kind: "outage", from: START_MS, to: START_MS + outageMs },
      ].filter((fault) => fault.kind === "slow" || outageMs > 0) as FaultPlanInput["faults"],
    },
  });
  exchanges.push(exchange);
  const folder = await newWorkFolder();
  await folder.configure({
    instance: options.databaseUrl === undefined ? {} : { storage: { url: options.databaseUrl } },
    collector: {
      exchange: { name: "binance", rest_url: exchange.url },
      symbols: [{ symbol: "BTC/USDT" }],
      mode: { history: { since: new Date(START_MS).toISOString() } },
      backfill: { concurrency: 1, void_confirm_after: "2s" },
    },
  });
  return new BackfillRun({ seed, exchange, folder, days: options.days, databaseUrl: options.databaseUrl });
}

export class BackfillRun {
  readonly seed: number;
  readonly exchange: SimulatedExchange;
  readonly folder: WorkFolder;
  readonly range: TimeRange;
  readonly #databaseUrl: string | undefined;

  constructor(parts: {
    readonly seed: number;
    readonly exchange: SimulatedExchange;
    readonly folder: WorkFolder;
    readonly days: number;
    readonly databaseUrl: string | undefined;
  }) {
    this.seed = parts.seed;
    this.exchange = parts.exchange;
    this.folder = parts.folder;
    this.range = { startMs: START_MS, endMs: START_MS + parts.days * DAY_MS };
    this.#databaseUrl = parts.databaseUrl;
  }

  /** @param dataDir another one than the folder's own */
  start({ dataDir, ...options }: SpawnOptions & { readonly dataDir?: string } = {}): CliProcess {
    const since = new Date(this.range.startMs).toISOString();
    const until = new Date(this.range.endMs).toISOString();
    const command = ["backfill", "binance:BTC/USDT", "1m", "--since", since, "--until", until];
    const where = ["-c", this.folder.configs, "--data-dir", dataDir ?? this.folder.dataDir];
    return spawnCli([...where, ...command], options);
  }

  /** Waits until the exchange has served so many pages in all. */
  async served(pages: number, cli: CliProcess): Promise<void> {
    const count = (): number => this.exchange.requests.count({ endpoint: "/api/v3/klines" });
    await until(() => count() >= pages || cli.hasEnded, { what: () => `${pages} pages: ${cli.stderr}` });
    if (count() < pages) throw new Error(`ended after ${count()} pages: ${cli.stderr}`);
  }

  /** Opens the database and looks: no claim without its rows, no row without its claim. */
  async expectHonestLedger(dataDir = this.folder.dataDir): Promise<void> {
    await this.#look(dataDir, async () => undefined);
  }

  /** What is stored is the truth, digit for digit, each once. */
  async expectTruth(dataDir = this.folder.dataDir): Promise<void> {
    const truth = this.exchange.truth.candles("BTC/USDT", "1m", this.range.startMs, this.range.endMs);
    const missed = totalMs(this.exchange.truth.outages("BTC/USDT"));
    expect(truth).toHaveLength((this.range.endMs - this.range.startMs - missed) / 60_000);
    await this.#look(dataDir, async (sql) => {
      const wanted = { symbol: "BTC/USDT", timeframe: "1m", range: this.range, truth } as const;
      expect(await differencesFromTruth(sql, wanted)).toEqual([]);
      const log = await sql("SELECT 1 FROM gap_log WHERE closed_at IS NULL");
      expect(log).toEqual([]);
    });
  }

  async #look(dataDir: string, work: (sql: RunSql) => Promise<void>): Promise<void> {
    const store = await openStore(this.#databaseUrl ?? "embedded", { dataDir, role: "reader" });
    const client = new pg.Client({ connectionString: store.connectionString });
    try {
      await client.connect();
      const sql: RunSql = async <T extends object>(text: string, values: unknown[] = []) =>
        (await client.query<T>(text, values)).rows;
      expect(await store.audit({})).toEqual([]);
      await expectPartition(sql);
      await work(sql);
    } finally {
      await client.end();
      await store.close();
    }
  }
}
