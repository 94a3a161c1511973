import { getEventListeners } from "node:events";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { TickwellError, type Fault } from "../../../src/core/fault.js";
import { HttpClient } from "../../../src/core/net/http-client.js";
import { hang, json, startStubServer, type Answer, type StubServer } from "./stub-server.js";

const never = new AbortController().signal;
const PATIENT_MS = 10_000;
/** Below {@link PATIENT_MS}: what is said to happen at once must not come by another request's timeout. */
const AT_ONCE = { timeout: 5_000 };

let server: StubServer;
let client: HttpClient;

beforeEach(async () => {
  server = await startStubServer();
  client = new HttpClient({ connectionsMax: 2 });
});

afterEach(async () => {
  await client.close();
  await expect.poll(() => server.connections()).toBe(0);
  await server.close();
});

const get = (options: { timeoutMs?: number; signal?: AbortSignal; bodyBytesMax?: number } = {}) =>
  client.get(`${server.url}/path`, { timeoutMs: PATIENT_MS, signal: never, ...options });

async function failureOf(promise: Promise<unknown>): Promise<{ fault: Fault; message: string }> {
  const error: unknown = await promise.then(
    () => new Error("expected a failure"),
    (thrown: unknown) => thrown,
  );
  if (!(error instanceof TickwellError)) throw error;
  return { fault: error.fault, message: error.message };
}

/** Announces more than it sends, then breaks off. */
const truncated: Answer = (_request, response) => {
  response.writeHead(200, { "content-length": "1000" });
  response.write("[[1,", () => response.socket?.end());
};

/** Breaks off between two chunks. */
const truncatedChunks: Answer = (_request, response) => {
  response.writeHead(200);
  response.write("[[1,", () => response.socket?.end());
};

describe("HttpClient", () => {
  it("returns status, headers by lower-case name, and the text, whatever the status", async () => {
    server.answer(json({ ok: "ü" }, 418, { "X-MBX-USED-WEIGHT-1M": "12" }));
    const response = await get();
    expect(response.status).toBe(418);
    expect(response.header("x-mbx-used-weight-1m")).toBe("12");
    expect(response.header("retry-after")).toBeUndefined();
    expect(response.text).toBe('{"ok":"ü"}');
  });

  it("keeps its connections for further requests", async () => {
    server.answer(json([]));
    for (let i = 0; i < 20; i++) await get();
    expect(server.accepted()).toBeLessThanOrEqual(2);
  });

  it("opens no more connections than it may, and serves the rest after them", async () => {
    server.answer(json([]));
    const responses = await Promise.all(Array.from({ length: 10 }, () => get()));
    expect(responses).toHaveLength(10);
    expect(await server.connections()).toBeLessThanOrEqual(2);
  });

  it("asks for a compressed body and unpacks it", async () => {
    server.answer((request, response) => {
      expect(request.headers["accept-encoding"]).toBe("gzip");
      response.writeHead(200, { "content-encoding": "gzip" });
      response.end(gzipSync("[1,2]"));
    });
    expect((await get()).text).toBe("[1,2]");
  });

  it("takes a body that is announced as compressed and is not for malformed", async () => {
    server.answer((_request, response) => {
      response.writeHead(200, { "content-encoding": "gzip" });
      response.end("[1,2]");
    });
    expect((await failureOf(get())).fault.kind).toBe("malformed_payload");
  });

  it.each([
    ["a body cut before its announced length", truncated],
    ["a body cut between chunks", truncatedChunks],
  ])("takes %s for a network failure that names the host", async (_name, answer) => {
    server.answer(answer);
    const { fault, message } = await failureOf(get());
    expect(fault).toEqual({ kind: "network" });
    expect(message).toBe(`${new URL(server.url).host} closed the connection before its answer was complete`);
  });

  it("takes a reset connection for a network failure", async () => {
    server.answer((request) => request.socket.resetAndDestroy());
    const { fault, message } = await failureOf(get());
    expect(fault).toEqual({ kind: "network" });
    expect(message).toContain("reset the connection");
  });

  it("takes a refused connection for a network failure", async () => {
    const gone = await startStubServer();
    await gone.close();
    const { fault, message } = await failureOf(
      client.get(gone.url, { timeoutMs: PATIENT_MS, signal: never }),
    );
    expect(fault).toEqual({ kind: "network" });
    expect(message).toBe(`${new URL(gone.url).host} refused the connection`);
  });

  it("takes words that are no HTTP for a network failure", async () => {
    server.answer((request) => request.socket.end("SSH-2.0-server\r\n\r\n"));
    expect((await failureOf(get())).fault).toEqual({ kind: "network" });
  });

  it("takes a server without TLS behind an https address for a network failure", async () => {
    const url = server.url.replace("http:", "https:");
    const failure = await failureOf(client.get(url, { timeoutMs: PATIENT_MS, signal: never }));
    expect(failure.fault).toEqual({ kind: "network" });
  });

  it("times out when no answer comes", async () => {
    server.answer(hang);
    expect((await failureOf(get({ timeoutMs: 30 }))).fault).toEqual({ kind: "timeout", timeoutMs: 30 });
  });

  it("times out when the headers come and the body does not end, however much of it trickles in", async () => {
    server.answer((_request, response) => {
      response.writeHead(200);
      const drip = setInterval(() => response.write(" "), 5);
      response.on("close", () => clearInterval(drip));
    });
    expect((await failureOf(get({ timeoutMs: 50 }))).fault).toEqual({ kind: "timeout", timeoutMs: 50 });
  });

  it("times out while it waits for a free connection", AT_ONCE, async () => {
    server.answer(hang);
    const abort = new AbortController();
    const busy = [get({ signal: abort.signal }), get({ signal: abort.signal })];
    for (const request of busy) request.catch(() => undefined);
    await server.arrived(2);
    expect((await failureOf(get({ timeoutMs: 30 }))).fault.kind).toBe("timeout");
    abort.abort(new Error("stopped"));
    await Promise.allSettled(busy);
    // Both connections are free again: what has timed out is not sent after all.
    server.answer(json([]));
    await get();
    expect(server.asked).toHaveLength(3);
  });

  it("rejects with the signal's reason while it waits for a free connection", AT_ONCE, async () => {
    server.answer(hang);
    const stop = new AbortController();
    const busy = [get({ signal: stop.signal }), get({ signal: stop.signal })];
    for (const request of busy) request.catch(() => undefined);
    await server.arrived(2);
    const abort = new AbortController();
    const waiting = get({ signal: abort.signal });
    const reason = new Error("not this one");
    abort.abort(reason);
    await expect(waiting).rejects.toBe(reason);
    stop.abort(new Error("stopped"));
    await Promise.allSettled(busy);
  });

  it("leaves no timer behind", async () => {
    const timers = () => process.getActiveResourcesInfo().filter((kind) => kind === "Timeout").length;
    server.answer(json([]));
    await get();
    const before = timers();
    for (let i = 0; i < 10; i++) await get();
    // A timer of the socket itself may or may not run at the moment.
    expect(timers() - before).toBeLessThan(5);
  });

  it("warns of no leak when hundreds of requests share one signal, and leaves no listener on it", async () => {
    const warnings: Error[] = [];
    const collect = (warning: Error): void => void warnings.push(warning);
    process.on("warning", collect);
    const { signal } = new AbortController();
    server.answer(json([]));
    await Promise.all(Array.from({ length: 200 }, () => get({ signal })));
    await new Promise((resolve) => setImmediate(resolve));
    process.off("warning", collect);
    expect(warnings).toEqual([]);
    expect(getEventListeners(signal, "abort")).toEqual([]);
  });

  it.each([
    ["before the headers", hang],
    [
      "in the middle of the body",
      ((_request, response) => {
        response.writeHead(200);
        response.write("[");
      }) satisfies Answer,
    ],
  ])("rejects with the signal's reason when it is aborted %s", async (_name, answer) => {
    server.answer(answer);
    const abort = new AbortController();
    const request = get({ signal: abort.signal });
    request.catch(() => undefined);
    await server.arrived(1);
    const reason = new Error("stopped");
    abort.abort(reason);
    await expect(request).rejects.toBe(reason);
  });

  it("asks nothing for a signal that is aborted already", async () => {
    const reason = new Error("stopped");
    await expect(get({ signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
    expect(server.asked).toEqual([]);
  });

  it("refuses a body above its limit, also one that only grows when unpacked", async () => {
    server.answer(json("x".repeat(2_000)), (_request, response) => {
      response.writeHead(200, { "content-encoding": "gzip" });
      response.end(gzipSync("x".repeat(2_000)));
    });
    for (let i = 0; i < 2; i++) {
      const { fault, message } = await failureOf(get({ bodyBytesMax: 1_999 }));
      expect(fault.kind).toBe("malformed_payload");
      expect(message).toContain("exceeds 1999 bytes");
    }
    expect((await get({ bodyBytesMax: 2_000 })).text).toHaveLength(2_000);
  });
});

describe("HttpClient.post", () => {
  const post = (options: { timeoutMs?: number; signal?: AbortSignal } = {}) =>
    client.post(`${server.url}/hook?a=1`, {
      body: '{"text":"ü"}',
      contentType: "application/json",
      timeoutMs: PATIENT_MS,
      signal: never,
      ...options,
    });

  it("sends the body as it is, with its type and length, and returns an answer of any status", async () => {
    const arrived: unknown[] = [];
    server.answer((request, response) => {
      const { method, url, headers } = request;
      let text = "";
      request.setEncoding("utf8").on("data", (part: string) => (text += part));
      request.on("end", () => {
        arrived.push([method, url, headers["content-type"], headers["content-length"], text]);
        json({ ok: false }, 404, { "Retry-After": "3" })(request, response);
      });
    });
    const response = await post();
    expect([response.status, response.text, response.header("retry-after")]).toEqual([
      404,
      '{"ok":false}',
      "3",
    ]);
    expect(arrived).toEqual([["POST", "/hook?a=1", "application/json", "13", '{"text":"ü"}']]);
  });

  it("sends it once, also when the connection breaks", async () => {
    server.answer((request) => request.socket.resetAndDestroy());
    expect((await failureOf(post())).fault).toEqual({ kind: "network" });
    expect(server.asked).toEqual(["/hook?a=1"]);
  });

  it("times out as a get does", async () => {
    server.answer(hang);
    expect((await failureOf(post({ timeoutMs: 30 }))).fault).toEqual({ kind: "timeout", timeoutMs: 30 });
  });

  it("rejects with the signal's reason when it is aborted", async () => {
    const abort = new AbortController();
    const request = post({ signal: abort.signal });
    request.catch(() => undefined);
    await server.arrived(1);
    const reason = new Error("stopped");
    abort.abort(reason);
    await expect(request).rejects.toBe(reason);
  });
});

describe("HttpClient behind HTTP_PROXY", () => {
  const variables = ["HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy"] as const;
  const before = variables.map((name) => [name, process.env[name]] as const);
  let proxy: Server;
  let tunnels: string[];

  beforeEach(async () => {
    tunnels = [];
    proxy = createServer();
    proxy.on("connect", (request, socket) => {
      tunnels.push(request.url ?? "");
      socket.end("HTTP/1.1 502 Bad Gateway\r\n\r\n");
    });
    await new Promise<void>((resolve) => proxy.listen(0, "127.0.0.1", resolve));
    for (const name of variables) Reflect.deleteProperty(process.env, name);
    process.env.HTTP_PROXY = `http://127.0.0.1:${(proxy.address() as AddressInfo).port}`;
    await client.close();
    client = new HttpClient();
  });

  afterEach(async () => {
    for (const [name, value] of before) {
      if (value === undefined) Reflect.deleteProperty(process.env, name);
      else process.env[name] = value;
    }
    proxy.closeAllConnections();
    await new Promise<void>((resolve) => proxy.close(() => resolve()));
  });

  it("asks the proxy for other hosts, and takes its refusal for a network failure", async () => {
    const request = client.get("http://exchange.invalid/", { timeoutMs: PATIENT_MS, signal: never });
    expect((await failureOf(request)).fault).toEqual({ kind: "network" });
    expect(tunnels).toEqual(["exchange.invalid:80"]);
  });

  it("asks loopback directly, where a simulator listens", async () => {
    server.answer(json([]));
    expect((await get()).status).toBe(200);
    expect(tunnels).toEqual([]);
  });
});
