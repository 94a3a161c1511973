// Who is let in and who is not: pages of other sites, callers without a token, too many, too much, and what is no HTTP.
import { connect } from "node:net";
import { request as httpRequest } from "node:http";
import { afterAll, afterEach, beforeAll, describe, expect, it } from "vitest";
import { API_PREFIX, ROUTES } from "../../../src/web/contract.js";
import type { ApiServer } from "../../../src/web/server.js";
import { createApiWorld, recordingLog, type ApiWorld } from "../../support/api-world.js";
import { until } from "../../support/until.js";

const TOKEN = "read-0123456789abcdef";
const WRITE_TOKEN = "write-0123456789abcdef";
let world: ApiWorld;
let open: ApiServer;
let closed: ApiServer;
beforeAll(async () => {
  world = await createApiWorld();
  open = await world.startApi();
  closed = await world.startApi({ host: "0.0.0.0", token: TOKEN, writeToken: WRITE_TOKEN });
});
afterAll(() => world.close());

const servers: ApiServer[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

interface Answer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
}

/** With headers that fetch would not send. */
function ask(
  { port }: ApiServer,
  path: string,
  options: { readonly headers?: Record<string, string>; readonly method?: string } = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = httpRequest({ host: "127.0.0.1", port, path, agent: false, ...options }, (response) => {
      let body = "";
      response.setEncoding("utf8").on("data", (text: string) => (body += text));
      response.on("end", () =>
        resolve({ status: response.statusCode ?? 0, headers: response.headers, body }),
      );
    });
    request.on("error", reject).end();
  });
}

/** Bytes in, whatever comes out until the other side closes. */
function askRaw({ port }: ApiServer, bytes: string): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, "127.0.0.1", () => socket.write(bytes));
    let answer = "";
    socket.setEncoding("utf8").on("data", (text: string) => (answer += text));
    socket.on("close", () => resolve(answer)).on("error", reject);
  });
}

const bearer = (token: string): { headers: Record<string, string> } => ({
  headers: { authorization: `Bearer ${token}` },
});

describe("on loopback", () => {
  it.each(["localhost", "127.0.0.1", "[::1]", "127.5.5.5", "LOCALHOST"])(
    "answers to the name %s",
    async (name) => {
      const { status } = await ask(open, "/api/v1/exchanges", { headers: { host: `${name}:${open.port}` } });
      expect(status).toBe(200);
    },
  );

  it.each(["evil.example", "127.0.0.1.evil.example", "localhost.evil.example", "192.168.1.5"])(
    "refuses a page that had its name resolved to us: %j",
    async (name) => {
      for (const path of ["/api/v1/exchanges", "/", "/healthz", "/metrics", "/udf/config"]) {
        const answer = await ask(open, path, { headers: { host: name } });
        expect([answer.status, path]).toEqual([403, path]);
        expect(answer.body).not.toContain("binance");
      }
    },
  );

  it.each(["http://evil.example", "null", "http://localhost:1", "https://127.0.0.1"])(
    "refuses pages of the origin %s",
    async (origin) => {
      const host = `127.0.0.1:${open.port}`;
      const { status, headers } = await ask(open, "/api/v1/exchanges", { headers: { host, origin } });
      expect(status).toBe(403);
      expect(headers["access-control-allow-origin"]).toBeUndefined();
    },
  );

  it("lets its own pages ask", async () => {
    const host = `127.0.0.1:${open.port}`;
    const { status } = await ask(open, "/api/v1/exchanges", { headers: { host, origin: `http://${host}` } });
    expect(status).toBe(200);
  });

  it("can be asked without a token, and changed by nobody", async () => {
    const answer = await ask(open, "/api/v1/backfill-tasks/1/retry", { method: "POST", ...bearer(TOKEN) });
    expect(answer.status).toBe(403);
    expect(answer.body).toContain("api.write_token");
    for (const method of ["PUT", "DELETE", "PATCH", "POST"])
      expect((await ask(open, "/api/v1/markets", { method })).status).toBe(404);
  });
});

describe("beyond loopback", () => {
  it("does not start without a token", async () => {
    await expect(world.startApi({ host: "0.0.0.0" })).rejects.toMatchObject({
      fault: { kind: "config" },
      message: expect.stringContaining("api.token") as string,
    });
  });

  it("answers nothing without the token, whichever route it is", async () => {
    const paths = Object.values(ROUTES).map(({ path }) => API_PREFIX + path.replace("{id}", "1"));
    for (const path of [...paths, "/api/v1/openapi.json", "/udf/config", "/metrics", "/api/v1/nothing"]) {
      for (const options of [
        {},
        bearer("read-0123456789abcdeF"),
        bearer(""),
        { headers: { authorization: TOKEN } },
        { headers: { authorization: `Basic ${TOKEN}` } },
      ]) {
        const answer = await ask(closed, path, options);
        expect([path, answer.status]).toEqual([path, 401]);
        expect(answer.headers["www-authenticate"]).toContain("Bearer");
        expect(answer.body).not.toContain(TOKEN);
      }
    }
  });

  it("answers with it, and to the one that may write", async () => {
    expect((await ask(closed, "/api/v1/exchanges", bearer(TOKEN))).status).toBe(200);
    const status = await ask(closed, "/api/v1/status", bearer(WRITE_TOKEN));
    expect(JSON.parse(status.body)).toMatchObject({ may_write: true });
    const retry = await ask(closed, "/api/v1/backfill-tasks/999999/retry", {
      method: "POST",
      ...bearer(TOKEN),
    });
    expect(retry.status).toBe(401);
    expect(
      (await ask(closed, "/api/v1/backfill-tasks/999999/retry", { method: "POST", ...bearer(WRITE_TOKEN) }))
        .status,
    ).toBe(404);
  });

  it("tells supervisors without one whether it lives, and nothing else", async () => {
    expect(await ask(closed, "/healthz")).toMatchObject({ status: 200, body: '{"status":"alive"}' });
    expect(await ask(closed, "/readyz")).toMatchObject({ status: 200, body: '{"status":"ready"}' });
  });

  it("refuses an address that asks too often, and mentions it once", async () => {
    const { log, lines } = recordingLog();
    const server = await world.startApi({
      host: "0.0.0.0",
      token: TOKEN,
      log,
      limits: { requestsPerMinute: 20 },
    });
    servers.push(server);
    const statuses: number[] = [];
    for (let i = 0; i < 40; i++)
      statuses.push((await ask(server, "/api/v1/exchanges", bearer(TOKEN))).status);
    expect(statuses.filter((status) => status === 200)).toHaveLength(20);
    expect(statuses.filter((status) => status === 429)).toHaveLength(20);
    expect(lines).toHaveLength(1);
    expect(lines.join()).not.toContain(TOKEN);
  });
});

describe("every answer", () => {
  it("forbids inline scripts, frames and guessing of types", async () => {
    for (const path of ["/", "/api/v1/exchanges", "/api/v1/nothing"]) {
      const { headers } = await ask(open, path);
      const policy = String(headers["content-security-policy"]);
      expect(policy).toContain("default-src 'none'");
      expect(policy).toContain("script-src 'self'");
      expect(policy).not.toContain("unsafe");
      expect(headers["x-content-type-options"]).toBe("nosniff");
      expect(headers["x-frame-options"]).toBe("DENY");
      expect(headers["referrer-policy"]).toBe("no-referrer");
      expect(headers["x-powered-by"]).toBeUndefined();
    }
  });
});

describe("what is no request of ours", () => {
  it.each([
    "/../../etc/passwd",
    "/%2e%2e/%2e%2e/etc/passwd",
    "/..%2f..%2fetc%2fpasswd",
    "//etc/passwd",
    "/assets/../../package.json",
    "/api/v1/../../package.json",
    "/%00",
    "/%",
    "/%c0%ae%c0%ae/",
    "/index.html%00.js",
  ])("the path %s leads nowhere", async (path) => {
    const answer = await askRaw(open, `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
    expect(answer).toMatch(/^HTTP\/1\.1 40[04] /);
    expect(answer).not.toContain("root:");
    expect(answer).not.toContain('"tickwell"');
  });

  it("oversize headers are refused", async () => {
    const answer = await askRaw(
      open,
      `GET / HTTP/1.1\r\nHost: localhost\r\nX: ${"x".repeat(20_000)}\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 431 /);
  });

  it("an oversize address and an oversize body are refused", async () => {
    const answer = await askRaw(
      open,
      `GET /api/v1/candles?market=${"x".repeat(20_000)} HTTP/1.1\r\nHost: localhost\r\n\r\n`,
    );
    expect(answer).toMatch(/^HTTP\/1\.1 4\d\d /);
    const body = await askRaw(
      open,
      `POST /api/v1/backfill-tasks/1/retry HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100000\r\nConnection: close\r\n\r\n${"x".repeat(100_000)}`,
    ).catch(() => "HTTP/1.1 413 reset");
    expect(body).toMatch(/^HTTP\/1\.1 4\d\d /);
  });

  it("bytes that are no HTTP are refused, however many come, and mentioned once", async () => {
    const { log, lines } = recordingLog();
    const server = await world.startApi({ log });
    servers.push(server);
    for (let i = 0; i < 20; i++)
      expect(await askRaw(server, "\x16\x03\x01 hello\r\n\r\n")).toMatch(/^HTTP\/1\.1 400 /);
    expect(lines).toHaveLength(1);
    expect((await ask(server, "/healthz")).status).toBe(200);
  });

  it("two lengths at once are refused: no request hides in another", async () => {
    const answer = await askRaw(
      open,
      "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
    );
    expect(answer).toMatch(/^HTTP\/1\.1 400 /);
    expect(answer).not.toContain("alive");
  });
});

describe("more clients than there is room for", () => {
  it("are turned away, mentioned once, and those inside notice nothing", async () => {
    const { log, lines } = recordingLog();
    const server = await world.startApi({ log, limits: { connectionsMax: 50 } });
    servers.push(server);
    const sockets = Array.from({ length: 300 }, () =>
      connect(server.port, "127.0.0.1").on("error", () => undefined),
    );
    await until(() => sockets.filter((socket) => socket.closed).length >= 250);
    expect(sockets.filter((socket) => !socket.closed)).toHaveLength(50);
    const inside = sockets.find((socket) => !socket.closed);
    const answer = new Promise<string>((resolve) => inside?.once("data", (data) => resolve(data.toString())));
    inside?.write("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n");
    expect(await answer).toContain("alive");
    expect(lines).toHaveLength(1);
    for (const socket of sockets) socket.destroy();
    await until(async () => (await ask(server, "/healthz").catch(() => ({ status: 0 }))).status === 200);
  });
});

describe("the address", () => {
  it("that is taken is an error with a remedy", async () => {
    await expect(world.startApi({ port: open.port })).rejects.toMatchObject({
      fault: { kind: "config" },
      message: expect.stringMatching(new RegExp(`port ${open.port} .* is taken.*api\\.port`)) as string,
    });
  });

  it("that is not ours is an error with a remedy", async () => {
    await expect(world.startApi({ host: "192.0.2.1", token: TOKEN })).rejects.toMatchObject({
      fault: { kind: "config" },
      message: expect.stringContaining("api.host") as string,
    });
  });
});

describe("when the database has gone", () => {
  it("says so with 503 and lives on", async () => {
    const lost = await createApiWorld();
    const server = await lost.startApi();
    await lost.store.close();
    try {
      const answer = await ask(server, "/api/v1/errors");
      expect(answer.status).toBe(503);
      expect(answer.headers["retry-after"]).toBe("5");
      expect(answer.body).not.toContain("tickwell_test");
      expect((await ask(server, "/readyz")).status).toBe(503);
      expect((await ask(server, "/healthz")).status).toBe(200);
      const status = await ask(server, "/api/v1/status");
      expect(JSON.parse(status.body)).toMatchObject({ database: { is_reachable: false, bytes: null } });
    } finally {
      await server.close();
    }
  });
});
