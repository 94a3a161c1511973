// Metrics of what comes in: streams, requests, and what venues hold back.
import type { Registry } from "prom-client";
import type { RestExchange } from "../../exchanges/exchange.js";
import type { LiveFeed } from "../../pipeline/feed/live/live-feed.js";
import type { StreamTraffic } from "../../pipeline/feed/live/stream-traffic.js";
import { addCounter, addGauge, addHistogram, type Sample } from "./read-metric.js";
import type { RequestCounts } from "./request-counts.js";

export interface IntakeSources {
  readonly requests: RequestCounts;
  readonly venues: () => Iterable<Pick<RestExchange, "id" | "condition">>;
  /** Those that run now or have run. */
  readonly feeds: () => Iterable<VenueFeed>;
}

export interface VenueFeed {
  readonly exchange: string;
  readonly feed: Pick<LiveFeed, "traffic" | "unreadable" | "connections">;
}

const CHANNELS = ["trades", "book", "candles"] as const satisfies (keyof StreamTraffic)[];

export function addIntakeMetrics(registry: Registry, { requests, venues, feeds }: IntakeSources): void {
  addCounter(registry, { name: "tickwell_stream_messages_total", help: "Messages of live streams." }, () =>
    sumTraffic(feeds(), "messages"),
  );
  addCounter(
    registry,
    { name: "tickwell_stream_received_bytes_total", help: "Bytes of these messages, uncompressed." },
    () => sumTraffic(feeds(), "bytes"),
  );
  addCounter(
    registry,
    {
      name: "tickwell_stream_unreadable_messages_total",
      help: "Messages of live streams that could not be read.",
    },
    () => sumBy(feeds(), ({ feed }) => feed.unreadable),
  );
  addGauge(
    registry,
    { name: "tickwell_stream_connections", help: "WebSocket connections by state: open, or opening." },
    () => [
      ...sumBy(feeds(), ({ feed }) => feed.connections().filter(isOpen).length, { state: "open" }),
      ...sumBy(feeds(), ({ feed }) => feed.connections().filter((each) => !isOpen(each)).length, {
        state: "opening",
      }),
    ],
  );
  addCounter(
    registry,
    {
      name: "tickwell_stream_reconnects_total",
      help: "WebSocket connections that broke and were opened again.",
    },
    () => sumBy(feeds(), ({ feed }) => feed.connections().reduce((sum, { breaks }) => sum + breaks, 0)),
  );
  addGauge(
    registry,
    {
      name: "tickwell_stream_last_activity_timestamp_seconds",
      help: "When anything last came in on the quietest open connection.",
    },
    () =>
      [...feeds()].flatMap(({ exchange, feed }) => {
        const times = feed.connections().flatMap(({ activeMs }) => activeMs ?? []);
        return times.length === 0 ? [] : [{ labels: { exchange }, value: Math.min(...times) / 1_000 }];
      }),
  );
  addCounter(
    registry,
    {
      name: "tickwell_api_requests_total",
      help: "Requests to exchanges: answered ones, and every attempt that failed.",
    },
    () => samples(requests.requests),
  );
  addCounter(
    registry,
    {
      name: "tickwell_api_errors_total",
      help: "Attempts that failed, by class; those of streams are attempts to connect, and broken connections.",
    },
    () => samples(requests.errors),
  );
  addHistogram(
    registry,
    {
      name: "tickwell_api_request_duration_seconds",
      help: "How long requests took that were answered, without waits for the rate limit.",
    },
    () => [...requests.seconds].map(([exchange, histogram]) => ({ labels: { exchange }, histogram })),
  );
  addGauge(
    registry,
    {
      name: "tickwell_rate_limit_used",
      help: "Weight or requests of the current window, as far as we know.",
    },
    () => limitsOf(venues(), ({ used }) => used),
  );
  addGauge(
    registry,
    { name: "tickwell_rate_limit_allowed", help: "Weight or requests the exchange allows in a window." },
    () => limitsOf(venues(), ({ allowed }) => allowed),
  );
  addGauge(
    registry,
    {
      name: "tickwell_ban_until_timestamp_seconds",
      help: "When the exchange's ban of this address ends; 0 where there is none.",
    },
    () => {
      const untilMs = new Map<string, number>();
      for (const { id, condition } of venues())
        untilMs.set(id, Math.max(untilMs.get(id) ?? 0, condition?.().bannedUntilMs ?? 0));
      return [...untilMs].map(([exchange, ms]) => ({ labels: { exchange }, value: ms / 1_000 }));
    },
  );
}

function isOpen({ connectedMs }: { readonly connectedMs: number | undefined }): boolean {
  return connectedMs !== undefined;
}

function samples<Label extends string>(
  counts: Iterable<{ readonly labels: Readonly<Record<Label, string>>; readonly count: number }>,
): Sample[] {
  return [...counts].map(({ labels, count }) => ({ labels, value: count }));
}

/** Several collectors may follow one exchange. */
function sumBy(
  feeds: Iterable<VenueFeed>,
  valueOf: (each: VenueFeed) => number,
  labels: Readonly<Record<string, string>> = {},
): Sample[] {
  const sums = new Map<string, number>();
  for (const each of feeds) sums.set(each.exchange, (sums.get(each.exchange) ?? 0) + valueOf(each));
  return [...sums].map(([exchange, value]) => ({ labels: { exchange, ...labels }, value }));
}

function sumTraffic(feeds: Iterable<VenueFeed>, what: "messages" | "bytes"): Sample[] {
  const all = [...feeds];
  return CHANNELS.flatMap((channel) => sumBy(all, ({ feed }) => feed.traffic[channel][what], { channel }));
}

/** One venue may be asked on several hosts, each with limits of its own: the fullest is told. */
function limitsOf(
  venues: Iterable<Pick<RestExchange, "id" | "condition">>,
  valueOf: (limit: { readonly used: number; readonly allowed: number }) => number,
): Sample[] {
  const fullest = new Map<string, { exchange: string; limit: string; used: number; allowed: number }>();
  for (const { id, condition } of venues) {
    for (const { name, used, allowed } of condition?.().limits ?? []) {
      const before = fullest.get(`${id} ${name}`);
      if (before === undefined || used / allowed > before.used / before.allowed)
        fullest.set(`${id} ${name}`, { exchange: id, limit: name, used, allowed });
    }
  }
  return [...fullest.values()].map((each) => ({
    labels: { exchange: each.exchange, limit: each.limit },
    value: valueOf(each),
  }));
}
