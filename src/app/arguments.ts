// Reading command-line arguments: times, ranges, durations. A wrong one is a TickwellError of kind `config`, exit 2.
import { parseDuration } from "../core/duration.js";
import { TickwellError } from "../core/fault.js";
import type { TimeRange } from "../core/range.js";
import { formatTime, parseTime } from "../core/time.js";

/** @throws TickwellError `config` */
export function usageError(message: string): TickwellError {
  return new TickwellError({ kind: "config" }, message);
}

/** A date, a time, epoch milliseconds, or a duration before `nowMs` such as `30d`. */
export function readTime(option: string, text: string, nowMs: number): number {
  if (text === "now") return nowMs;
  const agoMs = parseDuration(text);
  const timeMs = agoMs === undefined ? parseTime(text) : nowMs - agoMs;
  if (timeMs !== undefined) return timeMs;
  throw usageError(
    `${option}: found "${text}", expected a date (2024-01-01), a time (2024-01-01T12:00:00Z), epoch milliseconds, or how long ago (30d, 12h)`,
  );
}

export function readDuration(option: string, text: string): number {
  const durationMs = parseDuration(text);
  if (durationMs !== undefined && durationMs > 0) return durationMs;
  throw usageError(`${option}: found "${text}", expected a duration such as 500ms, 60s, 10m, 24h or 7d`);
}

export function readInteger(
  option: string,
  text: string,
  { min, max }: { min: number; max: number },
): number {
  const value = /^-?\d+$/.test(text) ? Number(text) : NaN;
  if (value >= min && value <= max) return value;
  throw usageError(`${option}: found "${text}", expected a whole number from ${min} to ${max}`);
}

/** `[since, until)`; undefined when neither is given. */
export function readRange(options: { since?: string; until?: string }, nowMs: number): TimeRange | undefined {
  if (options.since === undefined && options.until === undefined) return undefined;
  const startMs = options.since === undefined ? 0 : readTime("--since", options.since, nowMs);
  const endMs = options.until === undefined ? nowMs : readTime("--until", options.until, nowMs);
  if (startMs < endMs) return { startMs, endMs };
  throw usageError(`--since ${formatTime(startMs)} is not before --until ${formatTime(endMs)}`);
}
