// Faults of WebSocket streams, as a plan writes them. Part of fault-plan.ts.
import { z } from "zod";
import { count, symbols, time, whichExchange } from "./fault-fields.js";

/** What `ws_corrupt` can do to a message. */
const MESSAGE_LIES = [
  "cut",
  "binary",
  "wrong_types",
  "numbers",
  "unknown_event",
  "other_symbol",
  "huge",
] as const;

/** Which streams a fault strikes. Without any of these it strikes every message, subscription or connection. */
const whichStreams = {
  ...whichExchange,
  symbols,
  /** The venue's own name (`depth@100ms`, `kline_1m`, `books`, `candle1m`), its beginning, or trades, candles, orderbook. */
  channel: z.string().min(1).optional(),
  /** The exchange's clock: strikes in `[clock_from, clock_to)`. */
  clock_from: time.optional(),
  clock_to: time.optional(),
  /** Chance of each strike. */
  probability: z.number().gt(0).max(1).optional(),
  /** Begins with the nth it could strike, counted from 1; strikes once unless `count` says more. */
  nth: count.optional(),
  /** Strikes at most so often. */
  count: count.optional(),
};
/** Connections are refused and end before anyone has asked for a market. */
const { symbols: _symbols, channel: _channel, ...whichConnections } = whichStreams;

const HUGE_MB_MAX = 256;

export const streamFaultSchemas = {
  ws_disconnect: z.strictObject({
    kind: z.literal("ws_disconnect"),
    ...whichStreams,
    /** A close code of RFC 6455; without one the connection just breaks. */
    code: z.int().min(1_000).max(4_999).optional(),
  }),
  ws_end: z.strictObject({
    kind: z.literal("ws_end"),
    ...whichConnections,
    /** A connection lives so long instead of 24 h. */
    after_s: count,
  }),
  ws_half_open: z.strictObject({ kind: z.literal("ws_half_open"), ...whichStreams }),
  ws_silent: z.strictObject({ kind: z.literal("ws_silent"), ...whichStreams }),
  ws_drop: z.strictObject({ kind: z.literal("ws_drop"), ...whichStreams }),
  ws_duplicate: z.strictObject({ kind: z.literal("ws_duplicate"), ...whichStreams }),
  ws_reorder: z.strictObject({ kind: z.literal("ws_reorder"), ...whichStreams }),
  ws_corrupt: z.strictObject({
    kind: z.literal("ws_corrupt"),
    ...whichStreams,
    how: z.enum(MESSAGE_LIES),
    /** Of a huge message. */
    mb: z.int().min(1).max(HUGE_MB_MAX).default(50),
  }),
  ws_refuse: z.strictObject({
    kind: z.literal("ws_refuse"),
    ...whichConnections,
    status: z.union([z.literal(429), z.literal(503)]).default(503),
  }),
  ws_shutdown_notice: z.strictObject({
    kind: z.literal("ws_shutdown_notice"),
    ...whichStreams,
    /** The connection is closed so long after the notice. */
    after_s: count.default(60),
  }),
  ws_wrong_checksum: z.strictObject({ kind: z.literal("ws_wrong_checksum"), ...whichStreams }),
  ws_sequence_reset: z.strictObject({
    kind: z.literal("ws_sequence_reset"),
    ...whichStreams,
    /** `reset` is OKX's maintenance, which is allowed; `break` is a message that does not continue the one before. */
    how: z.enum(["reset", "break"]).default("reset"),
  }),
  ws_late_close: z.strictObject({
    kind: z.literal("ws_late_close"),
    ...whichStreams,
    delay_ms: count.default(24_000),
  }),
  ws_revised_close: z.strictObject({
    kind: z.literal("ws_revised_close"),
    ...whichStreams,
    /** Whether the right figures are pushed as well, so long after the wrong ones. */
    corrected: z.boolean().default(true),
    delay_ms: count.default(5_000),
  }),
};
