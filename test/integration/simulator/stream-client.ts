// A bare WebSocket client, that keeps what it was sent.
import WebSocket from "ws";
import type { SimulatedExchange } from "../../../simulator/simulated-exchange.js";
import { until } from "../../support/until.js";

export interface StreamClient {
  readonly socket: WebSocket;
  /** Every text message so far. */
  readonly texts: readonly string[];
  readonly binaries: readonly Buffer[];
  /** How many PINGs of the server came. */
  readonly pings: () => number;
  /** `[code, reason]` once the connection is closed. */
  readonly closed: () => readonly [number, string] | undefined;
  send(message: unknown): void;
  /** Waits until that many messages match, and parses them. */
  take(count: number, matches: (text: string) => boolean): Promise<Record<string, unknown>[]>;
}

/** Opens a connection to a path of the simulator; rejects when it is refused. */
export async function openStreamClient(
  simulated: SimulatedExchange,
  path: string,
  options: WebSocket.ClientOptions = {},
): Promise<StreamClient> {
  const socket = new WebSocket(simulated.url.replace(/^http/, "ws") + path, {
    perMessageDeflate: false,
    ...options,
  });
  const texts: string[] = [];
  const binaries: Buffer[] = [];
  let pings = 0;
  let closed: readonly [number, string] | undefined;
  socket.on("message", (data: Buffer, isBinary) => {
    if (isBinary) binaries.push(data);
    else texts.push(data.toString());
  });
  socket.on("ping", () => pings++);
  socket.on("close", (code, reason) => (closed = [code, reason.toString()]));
  await new Promise<void>((resolve, reject) => {
    socket.once("open", resolve);
    socket.once("error", reject);
  });
  socket.on("error", () => socket.terminate());
  return {
    socket,
    texts,
    binaries,
    pings: () => pings,
    closed: () => closed,
    send: (message) => socket.send(typeof message === "string" ? message : JSON.stringify(message)),
    async take(count, matches) {
      const found = (): string[] => texts.filter(matches);
      await until(() => found().length >= count, {
        timeoutMs: 20_000,
        what: () => `${count} messages on ${path}, got ${found().length} of ${texts.length}`,
      });
      return found()
        .slice(0, count)
        .map((text) => JSON.parse(text) as Record<string, unknown>);
    },
  };
}
