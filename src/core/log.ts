// Structured logging on stderr, by pino: lines for people on a terminal, JSON elsewhere.
import { destination, pino, type Logger } from "pino";
import { build as prettyStream } from "pino-pretty";

export type Log = Logger;
export const LOG_LEVELS = ["debug", "info", "warn", "error", "silent"] as const;
export type LogLevel = (typeof LOG_LEVELS)[number];

/**
 * A log on stderr. Written synchronously: the last line before an exit is the one that matters.
 * @param options.isPretty lines for people instead of JSON
 */
export function createLog(options: { level: LogLevel; isPretty: boolean; hasColor: boolean }): Log {
  const stream = options.isPretty
    ? prettyStream({
        destination: 2,
        sync: true,
        colorize: options.hasColor,
        translateTime: "UTC:HH:MM:ss'Z'",
        ignore: "pid,hostname",
        singleLine: true,
      })
    : destination({ fd: 2, sync: true });
  // Names and ISO times: what reads the lines of a service is often a person with grep.
  return pino(
    {
      level: options.level,
      base: null,
      formatters: { level: (label) => ({ level: label }) },
      timestamp: pino.stdTimeFunctions.isoTime,
    },
    stream,
  );
}

/** For tests and library users who do not want to hear anything. */
export const silentLog: Log = pino({ level: "silent" });
