// The plan of what goes wrong: declarative JSON, checked here. Times are ISO-8601 texts or epoch milliseconds going in,
// epoch milliseconds coming out.
import { z } from "zod";
import { count, minute, symbols, time, timeframe, whichExchange } from "./fault-fields.js";
import { streamFaultSchemas } from "./stream-fault-schemas.js";

/** What `lying_rows` can do to a row of candles. */
export const ROW_LIES = [
  "high_below_low",
  "negative_volume",
  "duplicate",
  "out_of_order",
  "off_grid",
  "nan",
  "number",
  "short_row",
] as const;
export type RowLie = (typeof ROW_LIES)[number];

/** What `lying_page` can do to a page of candles or trades. */
export const PAGE_LIES = [
  "other_symbol",
  "backwards",
  "empty",
  "same_page",
  "too_many",
  "exponent",
  "nan",
] as const;
export type PageLie = (typeof PAGE_LIES)[number];

/** What `wrong_json` can answer instead. */
export const WRONG_BODIES = ["html", "other_shape", "empty", "broken"] as const;

/** Which answers a fault may strike. Without any of these it strikes every one. */
const whenAsked = {
  ...whichExchange,
  /** `/api/v3/klines`, or its end: `klines`. */
  endpoint: z.string().min(1).optional(),
  /** Unified (`BTC/USDT`) or native (`BTCUSDT`) symbols. */
  symbols,
  /** Chance of each strike. */
  probability: z.number().gt(0).max(1).optional(),
  /** Begins with the nth request it could strike, counted from 1; strikes once unless `count` says more. */
  nth: count.optional(),
  /** Strikes at most so often. */
  count: count.optional(),
  /** Market time: strikes requests whose range touches `[from, to)`. */
  from: time.optional(),
  to: time.optional(),
  /** The exchange's clock: strikes in `[clock_from, clock_to)`. */
  clock_from: time.optional(),
  clock_to: time.optional(),
};

/** Which rows a fault strikes: candles that open in `[from, to)`. */
const whichRows = {
  ...whichExchange,
  from: time,
  to: time,
  symbols,
  timeframes: z.array(timeframe).min(1).optional(),
  /** Chance of each row, drawn once per row. */
  probability: z.number().gt(0).max(1).optional(),
  /** The first so many answers that hold the row are wrong; 1 unless `until` is given. */
  answers: count.optional(),
  /** Answers before this time of the exchange's clock are wrong. */
  until: time.optional(),
};

/** Which minutes of the truth a fault changes. */
const whichMinutes = { ...whichExchange, from: minute, to: minute, symbols };

/** Together a factor of 200: notional of a trade stays exact in a double. */
const PRICE_FACTOR_MAX = 10;
const VOLUME_FACTOR_MAX = 20;

const schemas = {
  http_429: z.strictObject({
    kind: z.literal("http_429"),
    ...whenAsked,
    retry_after: z.int().min(0).default(1),
  }),
  http_418: z.strictObject({
    kind: z.literal("http_418"),
    ...whenAsked,
    /** End of the ban; `ban_s` seconds from the strike when absent. */
    until: time.optional(),
    ban_s: count.default(120),
  }),
  http_451: z.strictObject({ kind: z.literal("http_451"), ...whenAsked }),
  http_5xx: z.strictObject({
    kind: z.literal("http_5xx"),
    ...whenAsked,
    status: z.int().min(500).max(599).default(503),
  }),
  slow: z.strictObject({ kind: z.literal("slow"), ...whenAsked, delay_ms: count }),
  hang: z.strictObject({ kind: z.literal("hang"), ...whenAsked }),
  truncated: z.strictObject({ kind: z.literal("truncated"), ...whenAsked }),
  wrong_json: z.strictObject({
    kind: z.literal("wrong_json"),
    ...whenAsked,
    body: z.enum(WRONG_BODIES).default("html"),
  }),
  disconnect: z.strictObject({ kind: z.literal("disconnect"), ...whenAsked }),
  outage: z.strictObject({
    kind: z.literal("outage"),
    ...whichExchange,
    from: minute,
    to: minute,
    symbols,
  }),
  late: z.strictObject({ kind: z.literal("late"), ...whichRows }),
  revised: z.strictObject({ kind: z.literal("revised"), ...whichRows }),
  lying_rows: z.strictObject({
    kind: z.literal("lying_rows"),
    ...whichRows,
    how: z.enum(ROW_LIES),
  }),
  clock_skew: z.strictObject({
    kind: z.literal("clock_skew"),
    ...whichExchange,
    /** How far the exchange's clock is ahead of the real one; negative for behind. */
    skew_ms: z.int(),
    clock_from: time.optional(),
    clock_to: time.optional(),
  }),
  lying_page: z.strictObject({ kind: z.literal("lying_page"), ...whenAsked, how: z.enum(PAGE_LIES) }),
  code_200: z.strictObject({
    kind: z.literal("code_200"),
    ...whenAsked,
    /** OKX's error code: 50001, 50011, 50026 and the like. */
    code: z.string().regex(/^\d{5}$/, 'expected five digits in quotes, such as "50001"'),
  }),
  price_jump: z.strictObject({
    kind: z.literal("price_jump"),
    ...whichMinutes,
    factor: z.number().min(0.01).max(PRICE_FACTOR_MAX),
  }),
  volume_spike: z.strictObject({
    kind: z.literal("volume_spike"),
    ...whichMinutes,
    /** One minute after `from` when absent. */
    to: minute.optional(),
    factor: z.number().min(0.01).max(VOLUME_FACTOR_MAX),
  }),
  trade_missing: z.strictObject({
    kind: z.literal("trade_missing"),
    ...whichExchange,
    from: time,
    to: time,
    symbols,
    /** Chance of each aggregate trade, drawn once. */
    probability: z.number().gt(0).max(1).optional(),
    /** Answers before this time of the exchange's clock leave them out; all of them when absent. */
    until: time.optional(),
  }),
  late_trade: z.strictObject({
    kind: z.literal("late_trade"),
    ...whichMinutes,
    /** Whether candles count it in the minute after the one its time says, or in the one before. */
    counted: z.enum(["after", "before"]).default("after"),
  }),
  delisted: z.strictObject({
    kind: z.literal("delisted"),
    ...whichExchange,
    symbol: z.string().min(1),
    at: minute,
  }),
  ...streamFaultSchemas,
};

const bounded = (fault: { from?: number | undefined; to?: number | undefined }): boolean =>
  fault.from === undefined || fault.to === undefined || fault.from < fault.to;

const faultSchema = z.discriminatedUnion("kind", [
  schemas.http_429,
  schemas.http_418,
  schemas.http_451,
  schemas.http_5xx,
  schemas.slow,
  schemas.hang,
  schemas.truncated,
  schemas.wrong_json,
  schemas.disconnect,
  schemas.outage,
  schemas.late,
  schemas.revised,
  schemas.lying_rows,
  schemas.clock_skew,
  schemas.lying_page,
  schemas.code_200,
  schemas.price_jump,
  schemas.volume_spike,
  schemas.trade_missing,
  schemas.late_trade,
  schemas.delisted,
  schemas.ws_disconnect,
  schemas.ws_end,
  schemas.ws_half_open,
  schemas.ws_silent,
  schemas.ws_drop,
  schemas.ws_duplicate,
  schemas.ws_reorder,
  schemas.ws_corrupt,
  schemas.ws_refuse,
  schemas.ws_shutdown_notice,
  schemas.ws_wrong_checksum,
  schemas.ws_sequence_reset,
  schemas.ws_late_close,
  schemas.ws_revised_close,
]);
const planSchema = z.strictObject({
  faults: z
    .array(faultSchema.refine((fault) => !("from" in fault) || bounded(fault), "expected `from` before `to`"))
    .max(1_000),
});

/** A plan as {@link parseFaultPlan} hands it on: defaults filled in, times in epoch milliseconds. */
export type FaultPlan = z.output<typeof planSchema>;
/** A plan as a JSON file or a test writes it. */
export type FaultPlanInput = z.input<typeof planSchema>;
export type SimulatedFault = FaultPlan["faults"][number];
export type SimulatedFaultKind = SimulatedFault["kind"];

/** What a plan may ask for. */
export const FAULT_KINDS = Object.keys(schemas) as readonly SimulatedFaultKind[];

/**
 * Kinds after which a collector of candles must end with the truth whatever else the plan says: they pass, or what they
 * do to a row can be seen. The others lie in ways that cannot be seen on every venue, or change what the truth is.
 */
export const PASSING_FAULT_KINDS = [
  "http_429",
  "http_418",
  "http_451",
  "http_5xx",
  "slow",
  "hang",
  "truncated",
  "wrong_json",
  "disconnect",
  "outage",
  "late",
  "revised",
  "lying_rows",
  "clock_skew",
] as const satisfies readonly SimulatedFaultKind[];

/** Thrown for a plan that is none; the message has one line a mistake. */
export class FaultPlanError extends Error {
  override readonly name = "FaultPlanError";
}

/**
 * Checks a fault plan. A plan that was checked before passes unchanged.
 * @throws FaultPlanError naming the place, what was found and what is allowed
 */
export function parseFaultPlan(input: unknown): FaultPlan {
  const result = planSchema.safeParse(input);
  if (result.success) return result.data;
  const lines = result.error.issues.map((issue) => describe(issue, input));
  throw new FaultPlanError(`fault plan: ${lines.join("\nfault plan: ")}`);
}

function describe(issue: z.core.$ZodIssue, input: unknown): string {
  const place = issue.path.reduce<string>(
    (text, key) =>
      typeof key === "number" ? `${text}[${key}]` : `${text === "" ? "" : `${text}.`}${String(key)}`,
    "",
  );
  const found = issue.path.reduce<unknown>(
    (value, key) => (typeof value === "object" && value !== null ? Reflect.get(value, key) : undefined),
    input,
  );
  const at = place === "" ? "the document" : place;
  if (issue.code === "unrecognized_keys") {
    const allowed = allowedKeys(found);
    return `${at} has the unknown key ${issue.keys.join(", ")}; allowed are ${allowed.join(", ")}`;
  }
  const foundText = found === undefined ? "nothing" : (JSON.stringify(found) ?? "nothing").slice(0, 80);
  if (issue.code === "invalid_union" && issue.path.at(-1) === "kind") {
    return `${at} found ${foundText}, expected one of ${FAULT_KINDS.join(", ")}`;
  }
  const expected = issue.message
    .replace(/^Invalid (?:input|option): /, "")
    .replace(/^Invalid input$/, "another value");
  return `${at} found ${foundText}, ${expected}`;
}

function allowedKeys(value: unknown): readonly string[] {
  const kind = typeof value === "object" && value !== null && "kind" in value ? value.kind : undefined;
  return typeof kind === "string" && Object.hasOwn(schemas, kind)
    ? Object.keys(schemas[kind as SimulatedFaultKind].shape)
    : ["faults"];
}
