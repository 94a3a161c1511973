// What the process that serves the API does besides. Handed in by whoever starts it; a process that collects nothing has
// an empty one.
import type { Status } from "./contract.js";

export interface ProcessView {
  /** Our clock, epoch ms. */
  readonly startedMs: number;
  collectors(): Status["collectors"];
  connections(): Status["connections"];
  stage(): Status["stage"];
  writer(): Status["writer"];
  rateLimits(): Status["rate_limits"];
  /** Of the volume the embedded database lies on; undefined where it is another machine's. */
  diskFreeBytes(): Promise<number | undefined>;
}

export function idleProcess(startedMs: number): ProcessView {
  return {
    startedMs,
    collectors: () => [],
    connections: () => [],
    stage: () => null,
    writer: () => null,
    rateLimits: () => [],
    diskFreeBytes: async () => undefined,
  };
}
