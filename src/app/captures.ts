// The captures of one process: a writer for each collector that follows streams, and the end of files that are too old.
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import type { Clock } from "../core/clock.js";
import { describeError } from "../core/fault.js";
import type { Log } from "../core/log.js";
import type { CaptureEvent } from "../pipeline/capture/capture-event.js";
import { CAPTURE_FILE, CaptureWriter } from "../pipeline/capture/capture-writer.js";
import type { CaptureConfig } from "./config-types.js";

export interface CapturesOptions {
  readonly config: CaptureConfig;
  readonly dataDir: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** Where captures are when the configuration does not say. */
export function captureDirectory({ directory }: Pick<CaptureConfig, "directory">, dataDir: string): string {
  return directory ?? join(dataDir, "captures");
}

export class Captures {
  readonly #options: CapturesOptions;
  readonly #directory: string;
  readonly #writers: CaptureWriter[] = [];

  constructor(options: CapturesOptions) {
    this.#options = options;
    this.#directory = captureDirectory(options.config, options.dataDir);
  }

  /** Takes what enters a collector's feed; undefined where nothing is captured. */
  recorderOf(collector: string): ((event: CaptureEvent) => void) | undefined {
    const { config, clock, log } = this.#options;
    if (!config.enabled) return undefined;
    let writer: CaptureWriter | undefined;
    let hasFailed = false;
    return (event) => {
      if (hasFailed) return;
      try {
        if (writer === undefined) {
          writer = new CaptureWriter({
            directory: this.#directory,
            name: collector,
            startedMs: clock.nowMs(),
            rotateSizeBytes: config.rotateSizeBytes,
            log,
          });
          this.#writers.push(writer);
        }
        writer.write(event);
      } catch (error) {
        hasFailed = true;
        log.error(
          `${collector}: nothing is captured in ${this.#directory}: ${describeError(error)}; collecting goes on`,
        );
      }
    };
  }

  /** Deletes captures that have not been written to for longer than they are kept. @returns their number */
  async prune(): Promise<number> {
    const { config, clock } = this.#options;
    if (!config.enabled || config.keepMs === undefined) return 0;
    let deleted = 0;
    const names = await readdir(this.#directory).catch(() => []);
    for (const name of names.filter((each) => CAPTURE_FILE.test(each))) {
      const path = join(this.#directory, name);
      const { mtimeMs } = await stat(path);
      if (clock.nowMs() - mtimeMs <= config.keepMs) continue;
      await rm(path, { force: true });
      deleted++;
    }
    return deleted;
  }

  /** Resolves when everything is in the files. */
  async close(): Promise<void> {
    await Promise.all(this.#writers.map((writer) => writer.close()));
  }
}
