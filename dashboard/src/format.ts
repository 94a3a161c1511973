// Figures and times as people read them. Numbers keep their digits; times are UTC.
export function formatCount(value: number): string {
  return value.toLocaleString("en-US");
}

export function formatPercent(value: number | null | undefined, digits = 2): string {
  if (value === null || value === undefined) return "–";
  // Never rounded up to a whole that it is not.
  const shown = value < 100 ? Math.min(value, 100 - 10 ** -digits) : value;
  return `${shown.toFixed(digits)} %`;
}

export function formatDuration(ms: number): string {
  const s = Math.abs(ms) / 1_000;
  if (s < 1) return `${Math.round(Math.abs(ms))} ms`;
  if (s < 60) return `${s.toFixed(s < 10 ? 1 : 0)} s`;
  if (s < 3_600) return `${Math.round(s / 60)} min`;
  if (s < 172_800) return `${(s / 3_600).toFixed(s < 36_000 ? 1 : 0)} h`;
  return `${Math.round(s / 86_400)} d`;
}

export function formatBytes(bytes: number | null): string {
  if (bytes === null) return "–";
  const units = ["B", "KB", "MB", "GB", "TB"];
  let value = bytes;
  let unit = 0;
  while (value >= 1_000 && unit < units.length - 1) {
    value /= 1_000;
    unit++;
  }
  return `${value.toFixed(unit === 0 || value >= 100 ? 0 : 1)} ${units[unit] ?? ""}`;
}

/** `2026-11-27 16:40:05`, without seconds where there are none. */
export function formatUtc(iso: string, withSeconds = true): string {
  const text = iso.replace("T", " ").replace(/(\.\d+)?Z$/, "");
  return withSeconds ? text.slice(0, 19) : text.slice(0, 16);
}

export function formatLocal(iso: string): string {
  return `${new Date(iso).toLocaleString(undefined, { timeZoneName: "short" })} · ${iso}`;
}

/** `1 gap`, `2 gaps`. */
export function counted(count: number, what: string): string {
  return `${formatCount(count)} ${what}${count === 1 ? "" : "s"}`;
}

const UNITS_MS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/** `15m` in ms. */
export function timeframeMs(timeframe: string): number {
  return Number.parseInt(timeframe, 10) * (UNITS_MS[timeframe.slice(-1)] ?? NaN);
}

/** The grid of weeks begins on a Monday; the epoch was a Thursday. */
const FIRST_MONDAY_MS = 4 * 86_400_000;

/** The open time of the candle that holds an instant. */
export function floorToTimeframe(timeMs: number, timeframe: string): number {
  const lengthMs = timeframeMs(timeframe);
  const originMs = timeframe.endsWith("w") ? FIRST_MONDAY_MS : 0;
  return Math.floor((timeMs - originMs) / lengthMs) * lengthMs + originMs;
}
