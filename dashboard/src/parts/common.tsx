// Small parts of every page.
import type { ComponentChildren, JSX } from "preact";
import type { Asked } from "../hooks.js";
import { useNow } from "../hooks.js";
import { formatDuration, formatLocal, formatUtc } from "../format.js";

/** UTC, with the local time on hover. */
export function Time({ iso, seconds = true }: { iso: string | null; seconds?: boolean }): JSX.Element {
  if (iso === null) return <span class="dim">–</span>;
  return (
    <time dateTime={iso} title={formatLocal(iso)}>
      {formatUtc(iso, seconds)}
    </time>
  );
}

/** How long ago, counting on. */
export function Ago({ iso }: { iso: string | null }): JSX.Element {
  const now = useNow(1_000);
  if (iso === null) return <span class="dim">–</span>;
  return (
    <time dateTime={iso} title={formatLocal(iso)}>
      {formatDuration(Math.max(0, now - Date.parse(iso)))} ago
    </time>
  );
}

export function marketHref(market: string, parameters: Readonly<Record<string, string>> = {}): string {
  const query = new URLSearchParams(parameters).toString();
  return `#/market/${encodeURIComponent(market)}${query === "" ? "" : `?${query}`}`;
}

/** A page's data: while it is being fetched, when it cannot be had, when it has grown old, when there is none. */
export function Loaded<T>({
  asked,
  isEmpty,
  empty,
  children,
}: {
  asked: Asked<T>;
  isEmpty?: (value: T) => boolean;
  empty?: ComponentChildren;
  children: (value: T) => ComponentChildren;
}): JSX.Element {
  const { value, error } = asked;
  if (value === undefined)
    return error === undefined ? (
      <p class="state" aria-busy="true">
        Loading…
      </p>
    ) : (
      <p class="state bad" role="alert">
        {error.message} <button onClick={asked.again}>Try again</button>
      </p>
    );
  return (
    <>
      {error && (
        <p class="state stale" role="status">
          This is old: {error.message}. It is asked for again.
        </p>
      )}
      {isEmpty?.(value) ? <p class="state">{empty}</p> : children(value)}
    </>
  );
}

/** A state in a colour, a sign and a word, for no one of them is seen by everybody. */
export function Badge({
  state,
  children,
}: {
  state: "good" | "bad" | "warn" | "busy" | "none";
  children: ComponentChildren;
}): JSX.Element {
  const signs = { good: "✓", bad: "✕", warn: "!", busy: "↻", none: "·" } as const;
  return (
    <span class={`badge ${state}`}>
      <span aria-hidden="true">{signs[state]}</span> {children}
    </span>
  );
}
