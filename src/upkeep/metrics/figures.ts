// The latest figures of the store, the stage and the disk, measured now and then: whoever reads them costs the database nothing, however
// often. While the database is away they stay as old as they are, and say so.
import { statfs } from "node:fs/promises";
import type { Clock } from "../../core/clock.js";
import type { Stage } from "../../pipeline/stage/stage.js";
import type { Store } from "../../store/store.js";
import type { StoreFigures } from "../../store/operating-figures.js";

export interface DiskFigures {
  readonly freeBytes: number;
  readonly sizeBytes: number;
}

export interface FiguresOptions {
  readonly store: Pick<Store, "figures">;
  readonly stage: Pick<Stage, "bytes">;
  readonly clock: Clock;
  /** The folder whose disk is watched. */
  readonly dataDir: string;
}

const STAGE_PATIENCE_MS = 2_000;
/** A measurement that takes long is made seldom: at most this part of the time is spent on it. */
const BUSY_SHARE = 0.05;

export class Figures {
  readonly #options: FiguresOptions;
  #store: StoreFigures | undefined;
  #exchanges: ReadonlyMap<number, string> = new Map();
  #disk: DiskFigures | undefined;
  #stageBytes: number | undefined;
  #isReachable = true;
  #tookMs = 0;
  #nextMs = -Infinity;

  constructor(options: FiguresOptions) {
    this.#options = options;
  }

  /** Undefined until the first measurement. */
  get store(): StoreFigures | undefined {
    return this.#store;
  }

  /** Undefined where the file system does not tell. */
  get disk(): DiskFigures | undefined {
    return this.#disk;
  }

  /** Undefined for a stage in this process's memory, and while another does not answer. */
  get stageBytes(): number | undefined {
    return this.#stageBytes;
  }

  /** False when the database did not answer the last time. */
  get isReachable(): boolean {
    return this.#isReachable;
  }

  /** How long the last measurement took. */
  get tookMs(): number {
    return this.#tookMs;
  }

  /** The exchange of a market; undefined until the market is among the figures. */
  exchangeOf(marketId: number): string | undefined {
    return this.#exchanges.get(marketId);
  }

  /**
   * Measures anew, unless that would keep the database busy.
   * @throws TickwellError `database`; the figures before stay
   */
  async measure(): Promise<void> {
    const { store, stage, clock, dataDir } = this.#options;
    this.#disk = await diskOf(dataDir);
    // While it does not answer the writer says so; a look must not wait for it.
    this.#stageBytes = await stage.bytes?.(AbortSignal.timeout(STAGE_PATIENCE_MS)).catch(() => undefined);
    const beginMs = clock.nowMs();
    if (beginMs < this.#nextMs) return;
    try {
      this.#store = await store.figures(beginMs);
      this.#exchanges = new Map(this.#store.series.map(({ marketId, exchange }) => [marketId, exchange]));
      this.#isReachable = true;
    } catch (error) {
      this.#isReachable = false;
      throw error;
    } finally {
      this.#tookMs = clock.nowMs() - beginMs;
      this.#nextMs = clock.nowMs() + this.#tookMs * (1 / BUSY_SHARE - 1);
    }
  }
}

async function diskOf(folder: string): Promise<DiskFigures | undefined> {
  try {
    const { bavail, blocks, bsize } = await statfs(folder);
    return { freeBytes: bavail * bsize, sizeBytes: blocks * bsize };
  } catch {
    // Not there yet, or a file system without figures.
    return undefined;
  }
}
