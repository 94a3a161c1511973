// What goes back over the socket: whole answers, and the ways in which an answer can go wrong.
import type { ServerResponse } from "node:http";
import type { WRONG_BODIES } from "./fault-plan.js";

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
}

const JSON_TYPE = "application/json;charset=UTF-8";
const HTML_TYPE = "text/html";

export function jsonAnswer(
  value: unknown,
  status = 200,
  headers: Readonly<Record<string, string>> = {},
): Answer {
  return { status, headers: { "Content-Type": JSON_TYPE, ...headers }, body: JSON.stringify(value) };
}

/** Binance's form of a refusal. */
export function refusal(
  { status, code, message }: { status: number; code: number; message: string },
  headers: Readonly<Record<string, string>> = {},
): Answer {
  return jsonAnswer({ code, msg: message }, status, headers);
}

export function htmlAnswer(status: number, title: string): Answer {
  const body = `<html>\r\n<head><title>${title}</title></head>\r\n<body><center><h1>${title}</h1></center></body>\r\n</html>\r\n`;
  return { status, headers: { "Content-Type": HTML_TYPE }, body };
}

/** A body with HTTP 200 that is not what was asked for; `broken` is how a good one would begin. */
export function wrongBody(
  body: (typeof WRONG_BODIES)[number],
  { path, broken }: { path: string; broken: string },
): Answer {
  switch (body) {
    case "html":
      return htmlAnswer(200, "Just a moment...");
    case "other_shape":
      return jsonAnswer({ success: true, data: { path, rows: null } });
    case "empty":
      return { ...jsonAnswer(null), body: "" };
    case "broken":
      return { ...jsonAnswer(null), body: broken };
  }
}

export function sendAnswer(response: ServerResponse, answer: Answer): void {
  response.writeHead(answer.status, { ...answer.headers, "Content-Length": Buffer.byteLength(answer.body) });
  response.end(answer.body);
}

/** Announces the whole body, sends half of it, and drops the connection. */
export function sendTruncated(response: ServerResponse, answer: Answer): void {
  const body = Buffer.from(answer.body);
  response.writeHead(answer.status, { ...answer.headers, "Content-Length": Math.max(body.length, 2) });
  response.write(body.subarray(0, Math.floor(body.length / 2)), () => response.socket?.destroy());
}

/** Resets the connection before a byte was answered. */
export function dropConnection(response: ServerResponse): void {
  response.socket?.resetAndDestroy();
}
