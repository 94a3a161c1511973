// A store that commits what it is given unless told to refuse, and a log whose lines can be looked at.
import { pino } from "pino";
import { TickwellError } from "../../../../src/core/fault.js";
import type { Log } from "../../../../src/core/log.js";
import type { RecordBatch } from "../../../../src/core/model/record-batch.js";

export const away = (): TickwellError =>
  new TickwellError({ kind: "database", code: "08006", isTransient: true }, "the database is away");
export const broken = (): TickwellError =>
  new TickwellError({ kind: "database", code: "42P01", isTransient: false }, "the table is not there");
export const refusedForItsData = (): TickwellError =>
  new TickwellError({ kind: "database", code: "23514", isTransient: false }, "a constraint is broken");

export class ScriptedStore {
  readonly committed: RecordBatch[][] = [];
  attempts = 0;
  revivals = 0;
  /** Throws what the next attempt fails with. */
  onCommit: (attempt: number) => void | Promise<void> = () => undefined;
  onRevive: () => void = () => undefined;

  async commit(batches: readonly RecordBatch[]) {
    this.attempts++;
    await this.onCommit(this.attempts);
    this.committed.push([...batches]);
    return { inserted: batches.length, revised: 0, refused: 0, live: 0 };
  }

  async revive(): Promise<void> {
    this.revivals++;
    this.onRevive();
  }
}

export interface Line {
  readonly level: number;
  readonly msg: string;
}

export function listeningLog(onLine: (line: Line) => void): Log {
  return pino({ base: null, level: "info" }, { write: (text: string) => onLine(JSON.parse(text) as Line) });
}
