// Announced maintenance: until when an alert has to wait.

/** `[startMs, endMs)` in epoch ms. */
export interface MaintenanceWindow {
  readonly startMs: number;
  readonly endMs: number;
  /** Undefined: of all exchanges, and of what is not about an exchange. */
  readonly exchange: string | undefined;
}

/** The first time at or after `nowMs` outside every window of this exchange. */
export function endOfMaintenance(
  windows: readonly MaintenanceWindow[],
  { exchange, nowMs }: { readonly exchange: string | undefined; readonly nowMs: number },
): number {
  const own = windows
    .filter((window) => window.exchange === undefined || window.exchange === exchange)
    .toSorted((a, b) => a.startMs - b.startMs);
  // Windows may overlap or follow each other without a pause.
  let endMs = nowMs;
  for (const window of own) {
    if (window.startMs <= endMs && endMs < window.endMs) endMs = window.endMs;
  }
  return endMs;
}
