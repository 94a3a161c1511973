// `tickwell tasks [list|retry|cleanup]`: the backfill tasks, what became of each, failed ones again, old ones away.
import type { Command } from "commander";
import { parseDuration } from "../../core/duration.js";
import { formatMinute, formatSecond, formatTime } from "../../core/time.js";
import { TASK_STATUSES, type BackfillTask, type TaskQueue, type TaskStatus } from "../../store/task-queue.js";
import { readInteger, usageError } from "../arguments.js";
import type { CommandContext, GlobalOptions } from "../command-context.js";
import { loadSettings, withStore } from "../settings.js";
import { formatCount, formatTable } from "../table.js";

interface ListOptions extends GlobalOptions {
  readonly status?: string;
  readonly limit: string;
}

interface CleanupOptions extends GlobalOptions {
  readonly olderThan: string;
}

const LISTED_MAX = 10_000;
/** More of a message is for `--json`. */
const ERROR_CHARS_SHOWN = 100;

export function addTasksCommand(program: Command, context: CommandContext): void {
  const tasks = program
    .command("tasks")
    .description("backfill tasks: list them, retry failed ones, clean up");
  tasks
    .command("list", { isDefault: true })
    .description("what is being fetched, what waits, what failed, what is done")
    .option("--status <status>", `only these: ${TASK_STATUSES.join(", ")}`)
    .option("--limit <count>", "at most so many", "50")
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<ListOptions>();
      const statuses = options.status === undefined ? undefined : [readStatus(options.status)];
      const limit = readInteger("--limit", options.limit, { min: 1, max: LISTED_MAX });
      await withQueue(context, options, (queue) =>
        listTasks(queue, { ...(statuses ? { statuses } : {}), limit }, options, context),
      );
    });
  tasks
    .command("retry")
    .description("put failed tasks back into the queue: these, or all")
    .argument("[id...]", "as `tickwell tasks` shows them")
    .action(async (ids: readonly string[], _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const wanted = ids.length === 0 ? undefined : ids.map(readId);
      await withQueue(context, options, async (queue) => {
        const retried = await queue.retryFailed({ ids: wanted });
        print(context, options, { retried }, describeRetried(retried, wanted?.length));
      });
    });
  tasks
    .command("cleanup")
    .description("delete completed and failed tasks; what is still missing will be planned again")
    .option("--older-than <duration>", "only those that ended longer ago", "30d")
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<CleanupOptions>();
      const olderThanMs = readAge(options.olderThan);
      await withQueue(context, options, async (queue) => {
        const deleted = await queue.cleanup({ olderThanMs });
        const text =
          deleted === 0
            ? `No task ended longer than ${options.olderThan} ago.\n`
            : `${countTasks(deleted)} deleted.\n`;
        print(context, options, { deleted }, text);
      });
    });
}

async function withQueue(
  context: CommandContext,
  options: GlobalOptions,
  work: (queue: TaskQueue) => Promise<void>,
): Promise<void> {
  const { instance } = await loadSettings(options);
  await withStore(context, options, { url: instance.storage.url, role: "reader" }, (store) =>
    work(store.tasks),
  );
}

async function listTasks(
  queue: TaskQueue,
  filter: { readonly statuses?: readonly TaskStatus[]; readonly limit: number },
  options: GlobalOptions,
  context: CommandContext,
): Promise<void> {
  const [tasks, counts] = [await queue.list(filter), await queue.count()];
  if (options.json) {
    context.stdout(`${JSON.stringify({ tasks: tasks.map(taskJson), counts }, undefined, 2)}\n`);
    return;
  }
  if (tasks.length === 0) {
    context.stdout(
      filter.statuses
        ? `No backfill task is ${filter.statuses.join(" or ")}.\n`
        : "There are no backfill tasks: nothing is missing, or no backfill cycle has run yet.\n",
    );
    return;
  }
  context.stdout(formatTasks(tasks));
  const summary = TASK_STATUSES.filter((status) => counts[status] > 0).map(
    (status) => `${formatCount(counts[status])} ${status}`,
  );
  context.stdout(`\n${summary.join(", ")}\n`);
}

function formatTasks(tasks: readonly BackfillTask[]): string {
  return formatTable(
    [
      { title: "id", align: "right" },
      { title: "market" },
      { title: "timeframe" },
      { title: "from (UTC)" },
      { title: "to, exclusive" },
      { title: "candles", align: "right" },
      { title: "status" },
      { title: "tries", align: "right" },
      { title: "next try (UTC)" },
      { title: "error" },
    ],
    tasks.map((task) => [
      String(task.id),
      task.market,
      task.timeframe,
      formatMinute(task.startMs),
      formatMinute(task.endMs),
      `${formatCount(task.actualRecords)} of ${formatCount(task.expectedRecords)}`,
      task.status,
      `${task.retryCount} of ${task.maxRetries}`,
      nextTry(task),
      shorten(task.errorMessage ?? ""),
    ]),
  );
}

function nextTry({ status, nextAttemptMs }: BackfillTask): string {
  if (status !== "pending") return "";
  return nextAttemptMs === undefined ? "at once" : formatSecond(nextAttemptMs);
}

/** One line of the table, whatever an exchange's error page held. */
function shorten(text: string): string {
  const line = text.replaceAll(/\s+/g, " ");
  return line.length <= ERROR_CHARS_SHOWN ? line : `${line.slice(0, ERROR_CHARS_SHOWN)}…`;
}

function taskJson(task: BackfillTask): object {
  const time = (timeMs: number | undefined): string | null =>
    timeMs === undefined ? null : formatTime(timeMs);
  return {
    id: task.id,
    market: task.market,
    data_type: "ohlcv",
    timeframe: task.timeframe,
    start: formatTime(task.startMs),
    end: formatTime(task.endMs),
    status: task.status,
    priority: task.priority,
    retry_count: task.retryCount,
    max_retries: task.maxRetries,
    next_attempt_at: time(task.nextAttemptMs),
    started_at: time(task.startedMs),
    completed_at: time(task.completedMs),
    error_message: task.errorMessage ?? null,
    expected_records: task.expectedRecords,
    actual_records: task.actualRecords,
    worker: task.worker ?? null,
    created_at: formatTime(task.createdMs),
    updated_at: formatTime(task.updatedMs),
  };
}

function describeRetried(retried: number, wanted: number | undefined): string {
  if (wanted !== undefined && retried < wanted) {
    return `${formatCount(retried)} of ${countTasks(wanted)} put back into the queue: only failed tasks can be.\n`;
  }
  return retried === 0 ? "No task has failed.\n" : `${countTasks(retried)} put back into the queue.\n`;
}

function print(context: CommandContext, options: GlobalOptions, result: object, text: string): void {
  context.stdout(options.json ? `${JSON.stringify(result)}\n` : text);
}

function countTasks(count: number): string {
  return `${formatCount(count)} ${count === 1 ? "task" : "tasks"}`;
}

function readStatus(text: string): TaskStatus {
  const status = TASK_STATUSES.find((each) => each === text);
  if (status) return status;
  throw usageError(`--status: found "${text}", expected one of ${TASK_STATUSES.join(", ")}`);
}

function readId(text: string): number {
  return readInteger("id", text, { min: 1, max: Number.MAX_SAFE_INTEGER });
}

/** Like any duration, and 0 for all. */
function readAge(text: string): number {
  const ageMs = text === "0" ? 0 : parseDuration(text);
  if (ageMs !== undefined) return ageMs;
  throw usageError(`--older-than: found "${text}", expected a duration such as 12h, 7d or 30d`);
}
