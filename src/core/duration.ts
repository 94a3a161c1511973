// Durations (`500ms`, `60s`, `10m`, `24h`, `7d`) and sizes (`64MB`) as they are written in configs and options.

const DURATION_UNITS_MS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const SIZE_UNITS_BYTES = { B: 1, KB: 1_024, MB: 1_024 ** 2, GB: 1_024 ** 3 } as const;

/** Milliseconds of `"90s"`; undefined when the text is no duration. */
export function parseDuration(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/.exec(text.trim());
  if (!match) return undefined;
  const valueMs = Number(match[1]) * DURATION_UNITS_MS[match[2] as keyof typeof DURATION_UNITS_MS];
  return Number.isSafeInteger(valueMs) ? valueMs : undefined;
}

/** Bytes of `"64MB"` (binary units); undefined when the text is no size. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)(B|KB|MB|GB)$/.exec(text.trim());
  if (!match) return undefined;
  const bytes = Number(match[1]) * SIZE_UNITS_BYTES[match[2] as keyof typeof SIZE_UNITS_BYTES];
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** The shortest way to say a duration to a person, in at most two units: `850 ms`, `12 s`, `3 min 20 s`, `2 h`, `3 d 4 h`. */
export function formatDuration(durationMs: number): string {
  if (durationMs < 1_000) return `${Math.round(durationMs)} ms`;
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
