// What pages share: data that is asked for again and again, the stream, the address.
import { useEffect, useRef, useState } from "preact/hooks";
import type { StreamChannel } from "./api.js";
import { stream, type Listener, type StreamState } from "./stream.js";

/** What was asked for: nothing yet, an answer, or an answer that is old because the last question failed. */
export interface Asked<T> {
  readonly value: T | undefined;
  readonly error: Error | undefined;
  readonly again: () => void;
}

/** Asks now, and every so often, and when `deps` change. An old answer stays while a new one is on its way. */
export function useAsked<T>(
  question: (signal: AbortSignal) => Promise<T>,
  { everyMs, deps }: { everyMs: number | undefined; deps: readonly unknown[] },
): Asked<T> {
  const [value, setValue] = useState<T>();
  const [error, setError] = useState<Error>();
  const [round, setRound] = useState(0);
  const latest = useRef(question);
  latest.current = question;
  useEffect(() => {
    const stop = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const run = async (): Promise<void> => {
      try {
        const answer = await latest.current(stop.signal);
        if (stop.signal.aborted) return;
        setValue(() => answer);
        setError(undefined);
      } catch (cause) {
        if (stop.signal.aborted) return;
        setError(cause instanceof Error ? cause : new Error(String(cause)));
      }
      if (everyMs !== undefined) timer = setTimeout(() => void run(), everyMs);
    };
    void run();
    return () => {
      stop.abort();
      clearTimeout(timer);
    };
  }, [round, everyMs, ...deps]);
  return { value, error, again: () => setRound((before) => before + 1) };
}

export function useStream(channel: StreamChannel, markets: readonly string[], listener: Listener): void {
  const latest = useRef(listener);
  latest.current = listener;
  const key = markets.join(" ");
  useEffect(
    () => stream.subscribe(channel, key.split(" "), (message) => latest.current(message)),
    [channel, key],
  );
}

/** What lies outside of the page's parts and may change before they listen: it is read again once they do. */
function useOutside<T>(read: () => T, watch: (changed: () => void) => () => void): T {
  const [value, setValue] = useState(read);
  useEffect(() => {
    const changed = (): void => setValue(read);
    const end = watch(changed);
    changed();
    return end;
  }, []);
  return value;
}

export function useStreamState(): StreamState {
  return useOutside(
    () => stream.state,
    (changed) => stream.watch(changed),
  );
}

/** Counts how often the stream has been opened: what was told while it was not open has to be asked for. */
export function useStreamOpenings(): number {
  return useOutside(
    () => stream.openings,
    (changed) => stream.watch(changed),
  );
}

/** Whether a media query holds: `(max-width: 760px)`. */
export function useMedia(query: string): boolean {
  return useOutside(
    () => matchMedia(query).matches,
    (changed) => {
      const list = matchMedia(query);
      list.addEventListener("change", changed);
      return () => list.removeEventListener("change", changed);
    },
  );
}

/** The part of the address behind `#`: `market/binance:BTC%2FUSDT?timeframe=1m`. */
export function useAddress(): { readonly path: readonly string[]; readonly parameters: URLSearchParams } {
  const hash = useOutside(
    () => location.hash,
    (changed) => {
      addEventListener("hashchange", changed);
      return () => removeEventListener("hashchange", changed);
    },
  );
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?");
  return { path: path.split("/").map(decodeURIComponent), parameters: new URLSearchParams(query) };
}

/** Renders again every so often, for what grows old by itself. */
export function useNow(everyMs: number): number {
  const [now, setNow] = useState(Date.now());
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), everyMs);
    return () => clearInterval(timer);
  }, [everyMs]);
  return now;
}
