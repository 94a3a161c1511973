// A real HTTP server on loopback that takes alerts, remembers them, and answers as a test tells it.
import { createServer, type IncomingHttpHeaders, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export interface Received {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Record<string, unknown>;
}

export type ReceiverAnswer = (response: ServerResponse) => void;

export interface AlertsReceiver {
  readonly url: string;
  readonly received: readonly Received[];
  /** The next answers, one a request; the last one stays. It acknowledges until told otherwise. */
  answer(...answers: ReceiverAnswer[]): void;
  close(): Promise<void>;
}

export const status =
  (code: number, body = "", headers: Record<string, string> = {}): ReceiverAnswer =>
  (response) => {
    response.writeHead(code, headers);
    response.end(body);
  };

/** Never answers. */
export const hang: ReceiverAnswer = () => undefined;

export async function startAlertsReceiver(): Promise<AlertsReceiver> {
  const received: Received[] = [];
  let answers: ReceiverAnswer[] = [status(200, "ok")];
  const server = createServer((request, response) => {
    let text = "";
    request.setEncoding("utf8").on("data", (part: string) => (text += part));
    request.on("end", () => {
      const { method = "", url = "", headers } = request;
      received.push({ method, path: url, headers, body: JSON.parse(text) as Record<string, unknown> });
      const answer = answers.length > 1 ? answers.shift() : answers[0];
      answer?.(response);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    received,
    answer(...next) {
      answers = next;
    },
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
