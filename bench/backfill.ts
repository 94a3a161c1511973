// A year of 1m candles from an instantly answering exchange on loopback into the store: tickwell against the loop users
// write today (ccxt fetchOHLCV + multi-row INSERT … ON CONFLICT). Each runs in a process of its own.
// npx tsx bench/backfill.ts [--short]
import { spawn } from "node:child_process";
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { Worker } from "node:worker_threads";
import { Client } from "pg";
import type { Store } from "../src/store/store.js";
import {
  IS_SHORT,
  median,
  never,
  printTable,
  requireGoal,
  thousands,
  withStore,
  YEAR_MINUTES,
} from "./support.js";

const ROWS = IS_SHORT ? 30_000 : YEAR_MINUTES;
const ROUNDS = IS_SHORT ? 1 : 3;
const SAMPLE_EVERY_MS = 50;
const MEMORY_MAX_MB = 250;
/** Memory is judged over a longer range, so that its second half lies well behind the warming up. */
const MEMORY_ROWS = IS_SHORT ? ROWS : 900_000;
/** Garbage comes and goes by this much. */
const MEMORY_SWAY = 1.1;

/** What a contestant prints when it is done. */
interface Result {
  readonly rows: number;
  readonly elapsedMs: number;
}

interface Run extends Result {
  /** Resident memory over time, MB. */
  readonly residentMb: readonly number[];
}

const server = new Worker(new URL("./backfill/instant-exchange.js", import.meta.url), {
  workerData: { rows: MEMORY_ROWS },
});
const url = await new Promise<string>((resolve, reject) => {
  server.once("message", resolve);
  server.once("error", reject);
});
try {
  await withStore(async (store) => {
    const contestants = [
      "tickwell",
      "ccxt-loop",
      ...(IS_SHORT ? [] : ["ccxt-loop-default-limiter"]),
    ] as const;
    const runs = new Map<string, Run[]>(contestants.map((name) => [name, []]));
    for (let round = 0; round < ROUNDS; round++) {
      for (const name of contestants) {
        // Its own limiter makes it slow enough that once tells all.
        if (name === "ccxt-loop-default-limiter" && round > 0) continue;
        await empty(store);
        const result = await run(name, store.connectionString);
        const [row] = (
          await store.query(
            name === "tickwell" ? "SELECT count(*) FROM ohlcv" : "SELECT count(*) FROM loop_candles",
            never,
          )
        ).rows;
        if (row?.[0] !== ROWS) throw new Error(`${name} stored ${String(row?.[0])} of ${ROWS} candles`);
        runs.get(name)?.push(result);
      }
    }
    await empty(store);
    const long = await run("tickwell", store.connectionString, MEMORY_ROWS);
    report(runs, long.residentMb);
  });
} finally {
  await server.terminate();
}

function report(runs: ReadonlyMap<string, readonly Run[]>, memory: readonly number[]): void {
  const perSecond = (name: string): number =>
    (ROWS / median((runs.get(name) ?? []).map((each) => each.elapsedMs))) * 1_000;
  const baseline = perSecond("ccxt-loop");
  const peak = (name: string): number =>
    Math.max(...(runs.get(name) ?? []).flatMap((each) => each.residentMb));
  printTable(
    `Backfilling ${ROWS.toLocaleString("en-US")} candles from an instantly answering exchange, median of ${ROUNDS}`,
    ["who", "rows/s", "ratio", "peak memory"],
    [...runs.keys()].map((name) => [
      name,
      thousands(perSecond(name)),
      (perSecond(name) / baseline).toFixed(2),
      `${Math.round(peak(name))} MB`,
    ]),
  );
  const half = Math.floor(memory.length / 2);
  const [early, late] = [Math.max(...memory.slice(0, half)), Math.max(...memory.slice(half))];
  console.log(
    `\nresident memory of tickwell over ${MEMORY_ROWS.toLocaleString("en-US")} candles: at most ${early.toFixed(0)} MB in the first half, ${late.toFixed(0)} MB in the second`,
  );
  requireGoal(perSecond("tickwell") / baseline >= 3, "at least three times as fast as the loop");
  requireGoal(
    Math.max(peak("tickwell"), early, late) < MEMORY_MAX_MB,
    `resident memory below ${MEMORY_MAX_MB} MB`,
  );
  requireGoal(late <= early * MEMORY_SWAY, "resident memory flat");
}

async function run(name: string, databaseUrl: string, rows = ROWS): Promise<Run> {
  const script = fileURLToPath(
    new URL(`./backfill/${name === "tickwell" ? "tickwell" : "ccxt-loop"}.js`, import.meta.url),
  );
  const flags = name.endsWith("default-limiter") ? ["--limiter"] : [];
  const child = spawn(process.execPath, [script, url, databaseUrl, String(rows), ...flags], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const residentMb: number[] = [];
  const sampling = setInterval(() => void sample(child.pid, residentMb), SAMPLE_EVERY_MS);
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => (output += chunk.toString()));
  const status = await new Promise<number | null>((resolve) => child.once("close", resolve));
  clearInterval(sampling);
  if (status !== 0) throw new Error(`${name} ended with ${status}`);
  return { ...(JSON.parse(output) as Result), residentMb };
}

async function sample(pid: number | undefined, residentMb: number[]): Promise<void> {
  const status = await readFile(`/proc/${pid}/status`, "utf8").catch(() => "");
  const kilobytes = /VmRSS:\s+(\d+)/.exec(status)?.[1];
  if (kilobytes !== undefined) residentMb.push(Number(kilobytes) / 1_024);
}

async function empty(store: Store): Promise<void> {
  const client = new Client({ connectionString: store.connectionString });
  await client.connect();
  await client.query("TRUNCATE ohlcv, candle_revisions, coverage, gap_log, series");
  await client.query("DROP TABLE IF EXISTS loop_candles");
  await client.query(
    `CREATE TABLE loop_candles (symbol text, timeframe text, open_time timestamptz, open numeric, high numeric, low numeric, close numeric, volume numeric,
     PRIMARY KEY (symbol, timeframe, open_time))`,
  );
  await client.query("CHECKPOINT");
  await client.end();
}
