// What a venue's protocol is to the server: which paths are its own, what a request is about, what it answers, and how it
// words every refusal. One implementation a venue family; the order in which these are called is venue-server.ts.
import type { Answer } from "./answer.js";
import type { AnswerFault, AskedFor } from "./fault-conditions.js";
import type { PageLie } from "./fault-plan.js";
import type { VenueName } from "./venue-name.js";

/** One request, with the venue's clock read once. */
export interface Call {
  readonly url: URL;
  /** Of the one who asks: limits and bans are his. */
  readonly ip: string;
  readonly nowMs: number;
  /** True for a client that asked for times in microseconds, which Binance spot knows. */
  readonly inMicroseconds?: boolean;
}

/** What counting a request came to. */
export interface Counted {
  /** Go with every answer. */
  readonly headers: Readonly<Record<string, string>>;
  /** The answer to one who asks too often or is banned. */
  readonly refusal: Answer | undefined;
}

export interface Dialect {
  readonly name: VenueName;
  isOwnPath(path: string): boolean;
  /** False for paths that do not exist. */
  hasEndpoint(path: string): boolean;
  /** What the request is about, before it is checked: faults strike bad requests too. */
  askedFor(url: URL, nowMs: number): AskedFor;
  /** Counts the request against the limits, whether or not its path exists. */
  count(call: Call): Counted;
  ban(ip: string, untilMs: number, nowMs: number): void;
  /** The answer that a fault puts in place of the endpoint's; undefined when it leaves it alone. */
  faultAnswer(fault: AnswerFault, asked: AskedFor): Answer | undefined;
  /** What the endpoint says, still to be written; rows are an array. Throws its refusals. */
  ask(call: Call): unknown;
  write(payload: unknown): Answer;
  /** The refusal an error stands for; undefined when it is none of the venue's. */
  refuse(error: unknown): Answer | undefined;
  /** What is asked instead, for a lie that is the honest answer to another question. */
  askedInstead(how: PageLie, call: Call): URL;
}
