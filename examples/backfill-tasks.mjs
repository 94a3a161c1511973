// Plans what is missing as tasks, claims them one by one, and says what it would fetch: the frame of a worker of your own.
// node examples/backfill-tasks.mjs [embedded | postgres://…] [data directory]
import { BackfillScheduler, openStore } from "tickwell";

const [, , url = "embedded", dataDir = "./data"] = process.argv;
const store = await openStore(url, { dataDir });
const scheduler = new BackfillScheduler({ store });
const time = (ms) => new Date(ms).toISOString();

const gaps = await scheduler.checkDataGaps();
const planned = await scheduler.planTasks(await store.seriesStates({}));
console.log(`${gaps.length} gaps, ${planned.tasks} new tasks of ${planned.candles} candles`);
console.log(`${(await scheduler.getPendingTasks()).length} tasks are pending`);

const claimed = [];
for (let task = await scheduler.claimTask("example"); task; task = await scheduler.claimTask("example")) {
  console.log(`${task.market} ${task.timeframe} ${time(task.startMs)} ${task.expectedRecords} candles`);
  claimed.push(task);
  if (claimed.length === 10) break;
}
// A worker would fetch now, and say "completed" once coverage confirms it. This one gives its tasks back.
for (const task of claimed) await scheduler.updateTaskStatus(task, { status: "pending", isRetry: false });
await store.close();
