// What a caller is told when a request cannot be answered: RFC 9457, `application/problem+json`.
import { STATUS_CODES } from "node:http";
import type { z } from "zod";
import { classifyError } from "../core/fault.js";
import type { Problem } from "./contract.js";

export const PROBLEM_TYPE = "application/problem+json; charset=utf-8";

/** A request that was refused; the message is for the caller: what was found, what is allowed. */
export class ApiProblem extends Error {
  override readonly name = "ApiProblem";
  readonly status: number;
  readonly parameter: string | undefined;
  readonly nearest: readonly string[] | undefined;

  constructor(
    status: number,
    detail: string,
    more: { readonly parameter?: string; readonly nearest?: readonly string[] } = {},
  ) {
    super(detail);
    this.status = status;
    this.parameter = more.parameter;
    this.nearest = more.nearest;
  }

  toBody(): Problem {
    return {
      type: "about:blank",
      title: STATUS_CODES[this.status] ?? "Error",
      status: this.status,
      detail: this.message,
      ...(this.parameter === undefined ? {} : { parameter: this.parameter }),
      ...(this.nearest === undefined ? {} : { nearest: [...this.nearest] }),
    };
  }
}

/** The first thing that is wrong with parameters, named. */
export function problemOfIssues(error: z.ZodError): ApiProblem {
  const [issue] = error.issues;
  if (!issue) return new ApiProblem(400, "the parameters are wrong");
  if (issue.code === "unrecognized_keys") {
    const [key = ""] = issue.keys;
    return new ApiProblem(400, `there is no parameter "${shown(key)}"`, { parameter: shown(key) });
  }
  const parameter = shown(issue.path.map(String).join("."));
  return new ApiProblem(400, `${parameter}: ${shown(issue.message)}`, parameter === "" ? {} : { parameter });
}

/**
 * What to answer to anything that was thrown. Only what was made for the caller is passed on; everything else is logged and
 * told in general words, for messages of databases and file systems hold names that are nobody's business.
 */
export function problemOf(error: unknown): ApiProblem {
  if (error instanceof ApiProblem) return error;
  const fault = classifyError(error);
  if (fault.kind === "database")
    return new ApiProblem(503, "the database does not answer in time; ask again in a few seconds");
  const status = statusOf(error);
  if (status !== undefined && status >= 400 && status < 500)
    return new ApiProblem(status, STATUS_CODES[status]?.toLowerCase() ?? "the request is wrong");
  return new ApiProblem(500, "this is a fault of tickwell's; its log says more");
}

/** Of errors of the HTTP framework. */
function statusOf(error: unknown): number | undefined {
  if (!(error instanceof Error) || !("statusCode" in error)) return undefined;
  return typeof error.statusCode === "number" ? error.statusCode : undefined;
}

/** What came from the caller is neither long nor unprintable when it goes back. */
function shown(text: string): string {
  // eslint-disable-next-line no-control-regex -- that is what is taken out
  return text.replace(/[\u0000-\u001f\u007f]/g, "?").slice(0, 300);
}
