// A real HTTP server on loopback that answers as a test tells it, and remembers what it was asked.
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";

export type Answer = (request: IncomingMessage, response: ServerResponse) => void;

export interface StubServer {
  readonly url: string;
  /** Path and parameters of every request, in order. */
  readonly asked: readonly string[];
  /** The next answers, one a request; the last one stays. */
  answer(...answers: Answer[]): void;
  /** Resolves when `count` requests have arrived. */
  arrived(count: number): Promise<void>;
  /** Connections there have been. */
  accepted(): number;
  /** Connections that are open. */
  connections(): Promise<number>;
  close(): Promise<void>;
}

export const json =
  (body: unknown, status = 200, headers: Record<string, string> = {}): Answer =>
  (_request, response) => {
    response.writeHead(status, { "content-type": "application/json", ...headers });
    response.end(typeof body === "string" ? body : JSON.stringify(body));
  };

/** Never answers. */
export const hang: Answer = () => undefined;

export async function startStubServer(): Promise<StubServer> {
  const asked: string[] = [];
  const waiting: { count: number; resolve: () => void }[] = [];
  let answers: Answer[] = [hang];
  const server = createServer((request, response) => {
    asked.push(request.url ?? "");
    const answer = answers.length > 1 ? answers.shift() : answers[0];
    answer?.(request, response);
    for (const { count, resolve } of waiting) if (asked.length >= count) resolve();
  });
  let accepted = 0;
  server.on("connection", () => accepted++);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    asked,
    answer(...next) {
      answers = next;
    },
    arrived(count) {
      if (asked.length >= count) return Promise.resolve();
      return new Promise((resolve) => waiting.push({ count, resolve }));
    },
    accepted: () => accepted,
    connections: () =>
      new Promise((resolve, reject) =>
        server.getConnections((error, count) => (error ? reject(error) : resolve(count))),
      ),
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
