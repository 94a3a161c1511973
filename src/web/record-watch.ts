// What changes in the store's records, whoever changes it: gaps, tasks, quality checks. Looked at once a second while
// somebody wants to know, from where it was left; the first look only takes note of where things stand.
import { formatTime } from "../core/time.js";
import type { GapLogRow } from "../store/api/gap-events.js";
import type { QualityRow, TaskRow } from "../store/api/record-pages.js";
import type { Store } from "../store/store.js";
import type { StreamChannel, StreamMessage } from "./contract.js";
import { toLoggedGap, toQuality, toTask } from "./routes/records.js";

export interface RecordWatchOptions {
  readonly store: Pick<Store, "api">;
  readonly tell: (
    channel: StreamChannel,
    message: StreamMessage,
    market: { readonly id: number; readonly name: string },
  ) => void;
}

/** Open gaps whose end is waited for; of more than these, only new ones are told of. */
const OPEN_MAX = 5_000;
const ROWS_MAX = 500;
/** Transactions commit in another order than they begin in: so far back what has changed is looked for. */
const OVERLAP_MS = 5_000;
const TASKS_REMEMBERED = 5_000;

export class RecordWatch {
  readonly #options: RecordWatchOptions;
  #isLooking = false;
  #gaps: { lastId: number; open: Set<number> } | undefined;
  #tasks: { sinceMs: number; told: Map<number, string> } | undefined;
  #lastCheckId: number | undefined;

  constructor(options: RecordWatchOptions) {
    this.#options = options;
  }

  /** One look; none while the last one still takes. What is not wanted is forgotten. */
  look(wanted: ReadonlySet<StreamChannel>): void {
    if (!wanted.has("gaps")) this.#gaps = undefined;
    if (!wanted.has("tasks")) this.#tasks = undefined;
    if (!wanted.has("quality")) this.#lastCheckId = undefined;
    if (this.#isLooking || !["gaps", "tasks", "quality"].some((each) => wanted.has(each as StreamChannel)))
      return;
    this.#isLooking = true;
    this.#lookAt(wanted)
      // A database that is away is told of by /status; the next look goes on from the same place.
      .catch(() => undefined)
      .finally(() => (this.#isLooking = false));
  }

  async #lookAt(wanted: ReadonlySet<StreamChannel>): Promise<void> {
    if (wanted.has("gaps")) await this.#lookAtGaps();
    if (wanted.has("tasks")) await this.#lookAtTasks();
    if (wanted.has("quality")) await this.#lookAtChecks();
  }

  async #lookAtGaps(): Promise<void> {
    const { api } = this.#options.store;
    const seen = this.#gaps;
    if (!seen) {
      const { lastId, openIds } = await api.gapLogEnd(OPEN_MAX);
      this.#gaps = { lastId, open: new Set(openIds) };
      return;
    }
    const rows = await api.gapLogSince({ lastId: seen.lastId, openIds: [...seen.open], limit: ROWS_MAX });
    for (const row of rows) {
      const isNew = row.id > seen.lastId;
      if (isNew) this.#tellGap(row, "found", row.found_ms);
      if (row.closed_ms !== null) {
        seen.open.delete(row.id);
        const isVoid = row.void_records > 0 && row.repaired_records === 0;
        this.#tellGap(row, isVoid ? "void" : "repaired", row.closed_ms);
      } else if (seen.open.size < OPEN_MAX) seen.open.add(row.id);
    }
    seen.lastId = rows.reduce((last, { id }) => Math.max(last, id), seen.lastId);
  }

  #tellGap(row: GapLogRow, event: "found" | "repaired" | "void", atMs: number): void {
    this.#options.tell(
      "gaps",
      { type: "gaps", event, time: formatTime(Math.floor(atMs)), gap: toLoggedGap(row) },
      { id: row.market_id, name: row.market },
    );
  }

  async #lookAtTasks(): Promise<void> {
    const { api } = this.#options.store;
    const seen = this.#tasks;
    if (!seen) {
      const sinceMs = (await api.lastTaskChange()) - OVERLAP_MS;
      // What lies in the overlap is old news.
      const before = await api.changedTasks(sinceMs, TASKS_REMEMBERED);
      this.#tasks = { sinceMs, told: new Map(before.map((row) => [row.id, stateOf(row)])) };
      return;
    }
    const rows = await api.changedTasks(seen.sinceMs, ROWS_MAX);
    const latestMs = rows.reduce((latest, row) => Math.max(latest, row.updated_ms), 0);
    for (const row of rows) {
      if (seen.told.get(row.id) === stateOf(row)) continue;
      seen.told.delete(row.id);
      seen.told.set(row.id, stateOf(row));
      this.#options.tell(
        "tasks",
        { type: "tasks", task: toTask(row) },
        { id: row.market_id, name: row.market },
      );
    }
    for (const id of seen.told.keys()) {
      if (seen.told.size <= TASKS_REMEMBERED) break;
      seen.told.delete(id);
    }
    // A full page ends in the middle: the next look begins there.
    const overlapMs = rows.length === ROWS_MAX ? 0 : OVERLAP_MS;
    seen.sinceMs = Math.max(seen.sinceMs, latestMs - overlapMs);
  }

  async #lookAtChecks(): Promise<void> {
    const { api } = this.#options.store;
    const lastId = this.#lastCheckId;
    if (lastId === undefined) {
      const [last] = await api.newChecks({ afterId: undefined, limit: 1 });
      this.#lastCheckId = last?.id ?? 0;
      return;
    }
    for (const row of await api.newChecks({ afterId: lastId, limit: ROWS_MAX })) {
      this.#lastCheckId = row.id;
      this.#tellCheck(row);
    }
  }

  #tellCheck(row: QualityRow): void {
    this.#options.tell(
      "quality",
      { type: "quality", quality: toQuality(row) },
      { id: row.market_id, name: row.market },
    );
  }
}

function stateOf({ status, updated_ms: updatedMs, retry_count: retries }: TaskRow): string {
  return `${status} ${updatedMs} ${retries}`;
}
