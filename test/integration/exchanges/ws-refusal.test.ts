// A server that answers the WebSocket request with a refusal: what it says about coming again is kept within reason.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { expect, it } from "vitest";
import { classifyError } from "../../../src/core/fault.js";
import { WsConnection } from "../../../src/core/net/ws-client.js";

const NOW_MS = Date.UTC(2024, 0, 10);
const DAY_MS = 86_400_000;

it.each([
  [429, "30", { kind: "rate_limit", retryAfterMs: 30_000 }],
  [429, "Wed, 10 Jan 2024 00:01:30 GMT", { kind: "rate_limit", retryAfterMs: 90_000 }],
  [429, "1000000000000", { kind: "rate_limit", retryAfterMs: 3 * DAY_MS }],
  [429, "soon", { kind: "rate_limit", retryAfterMs: undefined }],
  [418, "600", { kind: "ip_ban", untilMs: NOW_MS + 600_000 }],
  [418, "1000000000000", { kind: "ip_ban", untilMs: NOW_MS + 3 * DAY_MS }],
  [418, "-5", { kind: "ip_ban", untilMs: NOW_MS + 120_000 }],
])("HTTP %i with Retry-After: %s", async (status, retryAfter, fault) => {
  const server = createServer();
  server.on("upgrade", (_request, socket) =>
    socket.end(`HTTP/1.1 ${status} No\r\nRetry-After: ${retryAfter}\r\nContent-Length: 0\r\n\r\n`),
  );
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  try {
    const opening = WsConnection.open(`ws://127.0.0.1:${(server.address() as AddressInfo).port}/`, {
      timeoutMs: 5_000,
      signal: new AbortController().signal,
      nowMs: () => NOW_MS,
      handlers: { onText: () => undefined, onBinary: () => undefined, onActivity: () => undefined },
    });
    const error: unknown = await opening.catch((cause: unknown) => cause);
    expect(classifyError(error)).toEqual(fault);
  } finally {
    await new Promise((resolve) => server.close(resolve));
  }
});
