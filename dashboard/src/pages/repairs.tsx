// Repair tasks as they run, and what became of them.
import type { JSX } from "preact";
import { useState } from "preact/hooks";
import { ask, askAll, type Status, type Task } from "../api.js";
import { formatCount, formatDuration } from "../format.js";
import { useAsked, useStream } from "../hooks.js";
import { Badge, Loaded, marketHref, Time } from "../parts/common.js";

const STATES = {
  running: "busy",
  pending: "none",
  failed: "bad",
  completed: "good",
} as const;
const ORDER = ["running", "failed", "pending", "completed"] as const;

export function Repairs({ status }: { status: Status | undefined }): JSX.Element {
  const tasks = useAsked((signal) => askAll<Task>("/backfill-tasks", {}, signal, 2_000), {
    everyMs: 5_000,
    deps: [],
  });
  const { again } = tasks;
  useStream("tasks", ["*"], () => again());
  return (
    <section aria-labelledby="repairs-title">
      <h1 id="repairs-title">Repairs</h1>
      <Loaded asked={tasks} isEmpty={(value) => value.length === 0} empty="No repair was ever needed.">
        {(value) => (
          <>
            <p class="bar">
              {ORDER.map((state) => (
                <Badge key={state} state={STATES[state]}>
                  {formatCount(value.filter((task) => task.status === state).length)} {state}
                </Badge>
              ))}
            </p>
            <div class="scroll" tabIndex={0} role="region" aria-label="Tasks">
              <table>
                <thead>
                  <tr>
                    <th>Task</th>
                    <th>State</th>
                    <th>Market</th>
                    <th>From (UTC)</th>
                    <th class="number">Length</th>
                    <th class="number">Records</th>
                    <th class="number">Tries</th>
                    <th>Next or ended</th>
                    <th>What is known</th>
                    <th />
                  </tr>
                </thead>
                <tbody>
                  {[...value]
                    .sort((a, b) => ORDER.indexOf(a.status) - ORDER.indexOf(b.status) || b.id - a.id)
                    .slice(0, 500)
                    .map((task) => (
                      <Row key={task.id} task={task} mayWrite={status?.may_write ?? false} onDone={again} />
                    ))}
                </tbody>
              </table>
            </div>
          </>
        )}
      </Loaded>
    </section>
  );
}

function Row({ task, mayWrite, onDone }: { task: Task; mayWrite: boolean; onDone: () => void }): JSX.Element {
  const [said, setSaid] = useState("");
  const retry = (): void => {
    setSaid("asking…");
    ask<Task>(`/backfill-tasks/${task.id}/retry`, {}, { method: "POST" })
      .then(() => {
        setSaid("queued");
        onDone();
      })
      .catch((error: unknown) => setSaid(error instanceof Error ? error.message : String(error)));
  };
  const place = { at: task.start, ...(task.timeframe ? { timeframe: task.timeframe } : {}) };
  return (
    <tr>
      <th scope="row" class="number">
        {task.id}
      </th>
      <td>
        <Badge state={STATES[task.status]}>{task.status}</Badge>
      </td>
      <td>
        <a href={marketHref(task.market, place)}>{task.market}</a> {task.timeframe ?? task.data_type}
      </td>
      <td>
        <Time iso={task.start} seconds={false} />
      </td>
      <td class="number">{formatDuration(Date.parse(task.end) - Date.parse(task.start))}</td>
      <td class="number">
        {formatCount(task.actual_records)} of {formatCount(task.expected_records)}
      </td>
      <td class="number">
        {task.retry_count} of {task.max_retries}
      </td>
      <td>
        <Time iso={task.completed_at ?? task.next_attempt_at} />
      </td>
      <td class="event" title={task.error_message ?? ""}>
        {task.error_message ?? ""}
      </td>
      <td>
        {task.status === "failed" && mayWrite && said === "" && (
          <button onClick={retry} aria-label={`Retry task ${task.id}`}>
            Retry
          </button>
        )}
        {said}
      </td>
    </tr>
  );
}
