// When the cycles of each collector last came to their end: one that hangs says nothing by itself.

/** A cycle that ended without an error. Our clock, epoch ms. */
export interface CycleRun {
  readonly collector: string;
  /** `collect`, `repair`, `quality`. */
  readonly cycle: string;
  readonly startMs: number;
  readonly endMs: number;
}

export class CycleTimes {
  readonly #last = new Map<string, CycleRun>();

  note(run: CycleRun): void {
    this.#last.set(`${run.collector}\n${run.cycle}`, run);
  }

  /** The last run of each. */
  [Symbol.iterator](): IterableIterator<CycleRun> {
    return this.#last.values();
  }
}
