// Structured logging on stderr, by pino: lines for people on a terminal, JSON elsewhere. No line shows a secret, and warnings
// and errors that repeat themselves are counted instead of repeated.
import { destination, pino, type DestinationStream, type Logger } from "pino";
import { build as prettyStream } from "pino-pretty";
import { systemClock } from "./clock.js";
import { MASK, maskLine } from "./mask-text.js";
import { RepeatLimiter } from "./repeat-limiter.js";

export type Log = Logger;
export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

export interface LogOptions {
  readonly level: LogLevel;
  /** Lines for people instead of JSON. */
  readonly isPretty: boolean;
  readonly hasColor: boolean;
  /** Texts that must not appear in any line, such as tokens of the configuration. */
  readonly secrets?: readonly string[];
  /** Instead of stderr. */
  readonly stream?: DestinationStream;
  /** Default: the machine's. */
  readonly nowMs?: () => number;
}

/** pino's number for `warn`: less than that is no fault, and never left out. */
export const WARN = 40;
const SUM_UP_EVERY_MS = 5_000;
/** Shorter ones would be found in innocent words. */
const SECRET_CHARS_MIN = 6;

/** A log on stderr. Written synchronously: the last line before an exit is the one that matters. */
export function createLog(options: LogOptions): Log {
  const { level, nowMs = () => systemClock.nowMs() } = options;
  const hide = hiding(options.secrets ?? []);
  const limiter = new RepeatLimiter({
    nowMs,
    tell: (summary) => {
      if (summary.level >= WARN + 10) summaries.error(summary.text);
      else summaries.warn(summary.text);
    },
  });
  const common = {
    level,
    // Names and ISO times: what reads the lines of a service is often a person with grep.
    base: null,
    formatters: { level: (label: string) => ({ level: label }) },
    timestamp: pino.stdTimeFunctions.isoTime,
  };
  const stream = options.stream ?? streamFor(options);
  const hidden = { write: (line: string) => void stream.write(hide(line)) };
  const summaries = pino(common, hidden);
  const log = pino(
    {
      ...common,
      hooks: {
        logMethod(args, method, number) {
          const text = number >= WARN ? textOf(args) : undefined;
          if (text !== undefined && !limiter.allows(number, text)) return;
          method.apply(this, args);
        },
      },
    },
    hidden,
  );
  setInterval(() => limiter.sumUp(), SUM_UP_EVERY_MS).unref();
  process.once("exit", () => limiter.sumUp({ isEnd: true }));
  return log;
}

/** For tests and library users who do not want to hear anything. */
export const silentLog: Log = pino({ level: "silent" });

function streamFor({ isPretty, hasColor }: LogOptions): DestinationStream {
  if (!isPretty) return destination({ fd: 2, sync: true });
  return prettyStream({
    destination: 2,
    sync: true,
    colorize: hasColor,
    translateTime: "UTC:HH:MM:ss'Z'",
    ignore: "pid,hostname",
    singleLine: true,
  });
}

/** Every line passes here, whatever of it is a message, a field or an error's text. */
function hiding(secrets: readonly string[]): (line: string) => string {
  // In a line of JSON a quote or a backslash of a secret is escaped.
  const texts = [...new Set(secrets.filter(({ length }) => length >= SECRET_CHARS_MIN))].flatMap((secret) => [
    secret,
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(secret),
  ]);
  return (line) => texts.reduce((text, secret) => text.replaceAll(secret, MASK), maskLine(line));
}

/**
 * The message of a call, wherever among its arguments it stands, or that of its error. Undefined for what is never left
 * out: what has no words, and alerts, which are told once.
 */
function textOf(args: readonly unknown[]): string | undefined {
  const [first] = args;
  if (typeof first === "object" && first !== null && "alert" in first) return undefined;
  const text = args.find((each) => typeof each === "string");
  if (text !== undefined) return text;
  if (first instanceof Error) return first.message;
  if (typeof first !== "object" || first === null || !("err" in first)) return undefined;
  return first.err instanceof Error ? first.err.message : undefined;
}
