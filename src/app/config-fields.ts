// The building blocks of the config schema: single values as they are written in the files. A title is a noun phrase
// that completes "expected …" in error messages and is what an editor shows.
import { z } from "zod";
import { parseDuration, parseSize } from "../core/duration.js";
import { parseTime } from "../core/time.js";
import { TIMEFRAMES } from "../core/timeframe.js";
import { EXCHANGES } from "../exchanges/registry.js";

/** Names travel into log lines, metrics and file names. */
export const COLLECTOR_NAME = /^[A-Za-z0-9][\w.-]{0,63}$/;
export const COLLECTOR_NAME_TITLE = "a name of letters, digits, _, - and ., at most 64";

export const exchangeName = () => z.enum(EXCHANGES);
export const timeframe = () => z.enum(TIMEFRAMES);

/** A text of at least one character. */
export function text(title: string) {
  return z.string().min(1).meta({ title });
}

/**
 * A duration such as `60s`, kept as text.
 * @param minText the shortest that makes sense here
 */
export function duration(minText = "1ms", maxText = "3650d") {
  const [minMs, maxMs] = [durationMs(minText), durationMs(maxText)];
  return z
    .string()
    .refine((value) => {
      const valueMs = parseDuration(value);
      return valueMs !== undefined && valueMs >= minMs && valueMs <= maxMs;
    })
    .meta({
      pattern: "^[0-9]+([.][0-9]+)?(ms|s|m|h|d)$",
      title: `a duration from ${minText} to ${maxText}, such as 500ms, 60s, 10m, 24h or 7d`,
    });
}

/** Milliseconds of a text that {@link duration} has accepted. */
export function durationMs(value: string): number {
  return known(parseDuration(value), value);
}

/** A size such as `64MB`, kept as text. */
export function size(minText: string, maxText: string) {
  const [minBytes, maxBytes] = [sizeBytes(minText), sizeBytes(maxText)];
  return z
    .string()
    .refine((value) => {
      const bytes = parseSize(value);
      return bytes !== undefined && bytes >= minBytes && bytes <= maxBytes;
    })
    .meta({
      pattern: "^[0-9]+([.][0-9]+)?(B|KB|MB|GB)$",
      title: `a size from ${minText} to ${maxText}, such as 500KB or 64MB`,
    });
}

/** Bytes of a text that {@link size} has accepted. */
export function sizeBytes(value: string): number {
  return known(parseSize(value), value);
}

/** An instant, kept as written. */
export function instant() {
  return z
    .string()
    .refine((value) => parseTime(value) !== undefined)
    .meta({ title: "a date (2026-12-01) or a time (2026-12-01T08:00:00Z), UTC" });
}

/** Epoch milliseconds of a text that {@link instant} has accepted. */
export function instantMs(value: string): number {
  return known(parseTime(value), value);
}

/** The day Bitcoin's first block was found: no market is older, so an earlier date is a slip of the pen. */
const FIRST_MARKET_MS = Date.UTC(2009, 0, 3);

/** An instant, or a duration before the start; kept as written. Numbers are epoch milliseconds. */
export function since() {
  return z
    .union([z.string(), z.number()])
    .refine((value) => parseSince(String(value)) !== undefined)
    .meta({
      title: "a date (2024-01-01), a time (2024-01-01T08:00:00Z) since 2009, or a duration ago (30d)",
    });
}

/** What a text that {@link since} accepts means; undefined when it does not. */
export function parseSince(
  value: string,
): { kind: "at"; timeMs: number } | { kind: "ago"; durationMs: number } | undefined {
  const ago = parseDuration(value);
  if (ago !== undefined) return ago > 0 ? { kind: "ago", durationMs: ago } : undefined;
  const timeMs = parseTime(value);
  return timeMs !== undefined && timeMs >= FIRST_MARKET_MS ? { kind: "at", timeMs } : undefined;
}

/** A URL of one of the given schemes, such as `https`. */
export function url(schemes: readonly string[], title: string) {
  return z
    .string()
    .refine((value) => isUrl(value, schemes))
    .meta({ title });
}

/** True when `value` is a URL of one of the schemes, with its `://`: without it a password would not be seen as one. */
export function isUrl(value: string, schemes: readonly string[]): boolean {
  return URL.canParse(value) && schemes.some((scheme) => value.startsWith(`${scheme}://`));
}

function known<T>(parsed: T | undefined, value: string): T {
  if (parsed === undefined) throw new Error(`"${value}" reached the config unchecked`);
  return parsed;
}
