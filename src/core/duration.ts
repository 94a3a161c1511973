// Durations (`500ms`, `60s`, `10m`, `24h`, `7d`) and sizes (`64MB`) as they are written in configs and options.

const DURATION_UNITS_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const SIZE_UNITS_BYTES = { B: 1, KB: 1_024, MB: 1_024 ** 2, GB: 1_024 ** 3 } as const;

/** Milliseconds of `"90s"`; undefined when the text is no duration, or none of whole milliseconds. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d+)(?:\.(\d+))?(ms|s|m|h|d)$/.exec(text.trim());
  return match ? inUnits(match, DURATION_UNITS_MS) : undefined;
}

/** Bytes of `"64MB"` (binary units); undefined when the text is no size, or none of whole bytes. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+)(?:\.(\d+))?(B|KB|MB|GB)$/.exec(text.trim());
  return match ? inUnits(match, SIZE_UNITS_BYTES) : undefined;
}

/** In integers: as doubles, 8.2 × 60000 is not 492000. */
function inUnits(
  [, integer = "", fraction = "", unit = ""]: RegExpExecArray,
  units: Readonly<Record<string, number>>,
): number | undefined {
  const scaled = BigInt(integer + fraction) * BigInt(units[unit] ?? 0);
  const divisor = 10n ** BigInt(fraction.length);
  const value = Number(scaled / divisor);
  return scaled % divisor === 0n && Number.isSafeInteger(value) ? value : undefined;
}

/** The shortest way to say a duration to a person, in at most two units: `850 ms`, `12 s`, `3 min 20 s`, `2 h`, `3 d 4 h`. */
export function formatDuration(durationMs: number): string {
  if (Math.round(durationMs) < 1_000) return `${Math.round(durationMs)} ms`;
  const seconds = Math.round(durationMs / 1_000);
  const units: readonly (readonly [string, number])[] = [
    ["d", 86_400],
    ["h", 3_600],
    ["min", 60],
    ["s", 1],
  ];
  const at = units.findIndex(([, size]) => seconds >= size);
  const [name, size] = units[at] ?? (["s", 1] as const);
  const next = units[at + 1];
  const rest = next ? Math.floor((seconds % size) / next[1]) : 0;
  return `${Math.floor(seconds / size)} ${name}${next && rest > 0 ? ` ${rest} ${next[0]}` : ""}`;
}

/** `12.3 MB` */
export function formatSize(bytes: number): string {
  for (const [name, size] of Object.entries(SIZE_UNITS_BYTES).reverse()) {
    if (bytes >= size) return `${(bytes / size).toFixed(size === 1 ? 0 : 1)} ${name}`;
  }
  return "0 B";
}
