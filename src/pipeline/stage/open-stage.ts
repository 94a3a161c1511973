// The stage that the configuration names.
import type { Clock } from "../../core/clock.js";
import type { Log } from "../../core/log.js";
import { MemoryStage } from "./memory-stage.js";
import { RedisStage } from "./redis-stage.js";
import type { Stage } from "./stage.js";

export interface StageSettings {
  readonly kind: "memory" | "redis";
  readonly url: string | undefined;
  /** Rows held at most. */
  readonly itemsMax: number;
}

export function openStage(
  { kind, url, itemsMax }: StageSettings,
  { clock, log }: { clock: Clock; log: Log },
): Stage {
  if (kind === "redis" && url !== undefined) return new RedisStage({ url, rowsMax: itemsMax, clock, log });
  return new MemoryStage({ rowsMax: itemsMax, clock });
}
