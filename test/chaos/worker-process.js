// One backfill worker as a process of its own. Its fill stores made-up candles of the task's range after a while, in two
// halves, and notes in table `fills` when it begins. Prints one JSON line for each event of a task.
// Arguments: database url, name, how long a fill takes in ms, how far ahead its time is in ms.
import pg from "pg";
import { batchOf, candlesBetween, minuteMs } from "../support/candles.ts";
import { systemClock } from "../../src/core/clock.ts";
import { systemRandom } from "../../src/core/random.ts";
import { openStore } from "../../src/store/open-store.ts";
import { BackfillWorker } from "../../src/upkeep/backfill-worker.ts";

const [, , url, name, fillMs, aheadMs] = process.argv;
const store = await openStore(url);
const notes = new pg.Pool({ connectionString: url, max: 1 });
const minuteOf = (timeMs) => (timeMs - minuteMs(0)) / 60_000;
const stop = new AbortController();
process.on("SIGTERM", () => stop.abort(new Error("told to stop")));

const worker = new BackfillWorker({
  store,
  fill: async (task, signal) => {
    await notes.query("INSERT INTO fills (task_id, worker) VALUES ($1, $2)", [task.id, name]);
    const candles = candlesBetween(minuteOf(task.startMs), minuteOf(task.endMs));
    const half = Math.ceil(candles.length / 2);
    for (const part of [candles.slice(0, half), candles.slice(half)]) {
      await systemClock.sleep(Number(fillMs) / 2, signal);
      await store.commit([batchOf(task.marketId, part)]);
    }
    return { candles: candles.length, nextAskMs: undefined };
  },
  clock: systemClock,
  nowMs: () => systemClock.nowMs() + Number(aheadMs),
  random: systemRandom,
  name,
  concurrency: 2,
  onTask: ({ kind, task }) =>
    process.stdout.write(`${JSON.stringify({ kind, id: task.id, worker: name })}\n`),
});
try {
  await worker.workOff(stop.signal);
} catch (error) {
  if (!stop.signal.aborted) throw error;
} finally {
  await notes.end();
  await store.close();
}
