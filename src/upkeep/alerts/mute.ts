// Alerts nobody wants to be told of, for a time or for good. They are recorded all the same.

export interface Mute {
  /** A key, in which `*` stands for anything: `quality:*`, `gap:okx:*`. */
  readonly key: string;
  /** Epoch ms; undefined: for good. */
  readonly untilMs: number | undefined;
}

/** From when on an alert of this key may be told: `nowMs` when it is not muted, Infinity when it is for good. */
export function endOfMute(mutes: readonly Mute[], { key, nowMs }: { key: string; nowMs: number }): number {
  return mutes
    .filter((mute) => matches(mute.key, key))
    .reduce((endMs, { untilMs = Infinity }) => Math.max(endMs, untilMs), nowMs);
}

function matches(pattern: string, key: string): boolean {
  const [first = "", ...others] = pattern.split("*");
  if (others.length === 0) return pattern === key;
  const last = others.pop() ?? "";
  if (!key.startsWith(first) || key.length < first.length + last.length || !key.endsWith(last)) return false;
  let at = first.length;
  const end = key.length - last.length;
  for (const part of others) {
    const found = key.indexOf(part, at);
    if (found < 0 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}
