// Times as files write them: ISO-8601 with or without a zone, epoch seconds, milliseconds, microseconds or nanoseconds.
import { expandExponent } from "../../core/decimal.js";
import { parseTime } from "../../core/time.js";

/** No market is older than Bitcoin's first block: an earlier time is a mistake, and would open a gap of decades. */
const EARLIEST_MS = Date.UTC(2009, 0, 3);

/** How far the point of an epoch number moves to give milliseconds, by the number's magnitude. */
const EPOCH_UNITS = [
  { from: 1e17, shift: -6 }, // nanoseconds
  { from: 1e14, shift: -3 }, // microseconds
  { from: 1e11, shift: 0 }, // milliseconds
  { from: 0, shift: 3 }, // seconds
] as const;

/**
 * Epoch milliseconds of a file's time; without a zone it is UTC. A remainder below a millisecond keeps
 * the result off every timeframe's grid, so that the gate sees it.
 * @returns undefined when the text is no time, or one before 2009
 */
export function parseFileTime(text: string): number | undefined {
  const timeMs = parseEpoch(text) ?? parseIso(text);
  return timeMs === undefined || timeMs < EARLIEST_MS ? undefined : timeMs;
}

function parseEpoch(text: string): number | undefined {
  const match = /^(\d{1,20})(?:\.(\d*))?$/.exec(expandExponent(text));
  if (!match) return undefined;
  const [, integer = "", fraction = ""] = match;
  const shift = EPOCH_UNITS.find(({ from }) => Number(integer) >= from)?.shift ?? 0;
  const digits = integer + fraction.padEnd(Math.max(shift, 0), "0");
  const point = integer.length + shift;
  const wholeMs = Number(digits.slice(0, point));
  return /[1-9]/.test(digits.slice(point)) ? offGrid(wholeMs) : wholeMs;
}

function parseIso(text: string): number | undefined {
  const timeMs = parseTime(text.replace(/ ?UTC$/, "Z").replace(/ (?=(Z|[+-]\d{2}:?\d{2})$)/, ""));
  if (timeMs === undefined) return undefined;
  return /\.\d{3}\d*[1-9]/.test(text) ? offGrid(timeMs) : timeMs;
}

/** Grids lie on whole minutes: what is no whole second is off them as it is, and a whole second is after this. */
function offGrid(timeMs: number): number {
  return timeMs % 1_000 === 0 ? timeMs + 1 : timeMs;
}
