// Times as users write and read them: ISO-8601 in UTC or epoch milliseconds in, ISO-8601 with Z out.

/** Epoch milliseconds of a date or time written as ISO-8601 (UTC unless it carries an offset) or as epoch ms; undefined when it is neither. */
export function parseTime(text: string): number | undefined {
  if (/^\d{11,14}$/.test(text)) return Number(text);
  const match =
    /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2})(?::(\d{2})(\.\d{1,9})?)?)?(Z|[+-]\d{2}:?\d{2})?$/.exec(text);
  if (!match) return undefined;
  const [, date, minutes = "00:00", seconds = "00", fraction = "", zone = "Z"] = match;
  const offset = zone === "Z" || zone.includes(":") ? zone : `${zone.slice(0, 3)}:${zone.slice(3)}`;
  const timeMs = Date.parse(`${date}T${minutes}:${seconds}${fraction.slice(0, 4)}${offset}`);
  if (Number.isNaN(timeMs)) return undefined;
  // Date.parse rolls 2023-02-30 over into March; a date that does not exist is a mistake, not another date.
  const day = Date.parse(`${date}T00:00:00Z`);
  return new Date(day).toISOString().startsWith(date ?? "") ? timeMs : undefined;
}

/** `2024-01-01T00:00:00Z`; milliseconds only where there are any. */
export function formatTime(timeMs: number): string {
  return new Date(timeMs).toISOString().replace(".000Z", "Z");
}

/** `2024-01-01 00:00` for people: UTC, to the minute (seconds only where there are any). */
export function formatMinute(timeMs: number): string {
  return formatTime(timeMs)
    .replace("T", " ")
    .replace(/(:00)?Z$/, "");
}

/** `2024-01-01 00:00:00` for people, UTC: where times of any second stand below each other. */
export function formatSecond(timeMs: number): string {
  return formatMillisecond(timeMs).slice(0, -4);
}

/** `2024-01-01 00:00:00.000` */
export function formatMillisecond(timeMs: number): string {
  return new Date(timeMs).toISOString().replace("T", " ").slice(0, -1);
}
