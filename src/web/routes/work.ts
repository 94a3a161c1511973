// Repairs, failures, and how the process stands.
import { formatTime } from "../../core/time.js";
import { decodeCursor, encodeCursor } from "../cursor.js";
import { ApiProblem } from "../problem.js";
import { document } from "../reply.js";
import { pageSize, rangeOf, type Route } from "./call.js";
import { toError, toTask } from "./records.js";

const DAY_MS = 86_400_000;

export const tasks: Route<"tasks"> = async ({ store, directory, query }) => {
  const limit = pageSize(query.limit);
  const market = query.market === undefined ? undefined : await directory.find(query.market);
  const [beforeId] =
    query.cursor === undefined ? [undefined] : decodeCursor(query.cursor, ["number"] as const);
  const filter = { marketId: market?.id, statuses: query.status?.split(",") };
  const rows = await store.api.tasks(filter, { beforeId, limit });
  const last = rows.at(-1);
  return document({
    data: rows.map(toTask),
    next_cursor: last && rows.length === limit ? encodeCursor([last.id]) : null,
  });
};

export const retryTask: Route<"retryTask"> = async ({ store, params, clock }) => {
  const id = Number(params["id"]);
  const task = await store.api.task(id);
  if (!task) throw new ApiProblem(404, `id: there is no task ${id}`, { parameter: "id" });
  if (task.status !== "failed")
    throw new ApiProblem(409, `id: task ${id} is ${task.status}; only failed ones are retried`, {
      parameter: "id",
    });
  await store.tasks.retryFailed({ ids: [id], nowMs: clock.nowMs() });
  const after = await store.api.task(id);
  return document(toTask(after ?? task));
};

export const errors: Route<"errors"> = async ({ store, query, clock }) => {
  const limit = pageSize(query.limit);
  const range = rangeOf(query, { nowMs: clock.nowMs() + 1, lengthMs: DAY_MS });
  const after =
    query.cursor === undefined ? undefined : decodeCursor(query.cursor, ["number", "number"] as const);
  const rows = await store.api.errors(
    { exchange: query.exchange, kind: query.error_type, range },
    { after, limit },
  );
  const last = rows.at(-1);
  return document({
    data: rows.map(toError),
    next_cursor: last && rows.length === limit ? encodeCursor([last.time_us, last.id]) : null,
  });
};

export const errorSummary: Route<"errorSummary"> = async ({ store, query, clock }) => {
  const sinceMs = query.from ?? clock.nowMs() - DAY_MS;
  const rows = await store.errors.summarize({ sinceMs });
  return document({
    data: rows.map((row) => ({
      exchange: row.exchange,
      endpoint: row.endpoint,
      error_type: row.kind,
      error_code: row.code ?? null,
      count: row.count,
      last_time: formatTime(Math.floor(row.lastMs)),
      last_message: row.lastMessage,
      symbols: [...row.symbols],
    })),
    next_cursor: null,
  });
};

export const status: Route<"status"> = async ({ status: board, mayWrite }) =>
  document(await board.get(mayWrite));
