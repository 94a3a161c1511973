// The fields that faults of a plan share.
import { z } from "zod";
import { parseTime } from "../src/core/time.js";
import { isTimeframe, type Timeframe } from "../src/core/timeframe.js";
import { VENUE_NAMES } from "./venue-name.js";

const MINUTE_MS = 60_000;

export const time = z.union([z.number(), z.string()]).transform((value, context) => {
  const timeMs = typeof value === "number" ? value : parseTime(value);
  if (timeMs !== undefined && Number.isSafeInteger(timeMs) && timeMs >= 0) return timeMs;
  context.addIssue({
    code: "custom",
    message: 'expected a time such as "2024-01-01T00:00:00Z" or epoch milliseconds',
  });
  return z.NEVER;
});
export const minute = time.refine((timeMs) => timeMs % MINUTE_MS === 0, {
  message: "expected a full minute, such as 2024-01-01T12:34:00Z",
});
export const count = z.int().min(1);
export const timeframe = z.custom<Timeframe>(
  (value) => typeof value === "string" && isTimeframe(value),
  "expected a timeframe such as 1m",
);

/** A fault of one venue names it; without a name it is for all of them. */
export const whichExchange = { exchange: z.enum(VENUE_NAMES).optional() };
export const symbols = z.array(z.string().min(1)).min(1).optional();
