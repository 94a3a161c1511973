// `tickwell start` with its API: what streams bring reaches whoever listens, metrics are there, and a taken port is told.
import { createServer, type AddressInfo } from "node:net";
import { afterAll, beforeAll, expect, it } from "vitest";
import { WebSocket } from "ws";
import { systemClock } from "../../../src/core/clock.js";
import { ROUTES, streamMessageSchema, type StreamMessage } from "../../../src/web/contract.js";
import { startSimulatedExchange, type SimulatedExchange } from "../../../simulator/simulated-exchange.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";
import { runCommand } from "../../support/run-command.js";
import { until } from "../../support/until.js";
import { newWorkFolder, type WorkFolder } from "../../support/work-folder.js";

let database: TestDatabase;
let exchange: SimulatedExchange;
beforeAll(async () => {
  database = await createTestDatabase();
  exchange = await startSimulatedExchange({ seed: 1, clock: systemClock });
});
afterAll(async () => {
  await exchange.close();
  await database.drop();
});

async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function folderFor(port: number): Promise<WorkFolder> {
  const folder = await newWorkFolder();
  await folder.configure({
    instance: { storage: { url: database.url }, api: { port } },
    collector: {
      exchange: { name: "binance", rest_url: exchange.url, ws_url: exchange.url.replace("http", "ws") },
      symbols: [{ symbol: "BTC/USDT", channels: ["candles", "trades", "book"] }],
    },
  });
  return folder;
}

it("serves what it collects while it collects it", async () => {
  const port = await freePort();
  const folder = await folderFor(port);
  const stop = new AbortController();
  const running = runCommand([...folder.options, "--log-level", "silent", "start"], { signal: stop.signal });
  const url = `http://127.0.0.1:${port}`;
  try {
    await until(async () => (await fetch(`${url}/readyz`).catch(() => undefined))?.status === 200);
    await until(async () => {
      const { data } = (await (await fetch(`${url}/api/v1/markets?include=summary`)).json()) as {
        data: { summary: { is_live: boolean } }[];
      };
      return data[0]?.summary.is_live === true;
    });
    const messages: StreamMessage[] = [];
    const socket = new WebSocket(`ws://127.0.0.1:${port}/api/v1/stream`, ["tickwell.v1"]);
    socket.on("message", (text: Buffer) =>
      messages.push(streamMessageSchema.parse(JSON.parse(text.toString()))),
    );
    socket.on("open", () => {
      for (const channel of ["trades", "book", "prices"])
        socket.send(JSON.stringify({ op: "subscribe", channel, markets: ["binance:BTC/USDT"] }));
    });
    for (const type of ["trades", "book", "prices"])
      await until(() =>
        messages.some((message) => message.type === type && !("book" in message && !message.book)),
      );
    const [trade] = messages.flatMap((message) => (message.type === "trades" ? message.data : []));
    // What was heard live is what is stored a moment later.
    await until(async () => {
      const { data } = (await (
        await fetch(`${url}/api/v1/trades?market=binance:BTC/USDT&order=desc`)
      ).json()) as {
        data: unknown[];
      };
      return data.some((row) => JSON.stringify(row) === JSON.stringify(trade));
    });
    socket.terminate();
    const status = ROUTES.status.answer.parse(await (await fetch(`${url}/api/v1/status`)).json());
    expect(status.collectors).toMatchObject([{ exchange: "binance", state: "running", series: 1 }]);
    expect(status.connections[0]).toMatchObject({ exchange: "binance", state: "open" });
    expect(status.stage).toMatchObject({ kind: "memory" });
    expect(status.writer?.rows_total).toBeGreaterThan(0);
    expect(status.rate_limits.length).toBeGreaterThan(0);
    expect(await (await fetch(`${url}/metrics`)).text()).toContain("tickwell_build_info");

    const second = await runCommand([...folder.options, "--log-level", "silent", "start"]);
    expect(second.status).toBe(2);
    expect(second.stderr).toContain(`port ${port} of 127.0.0.1 is taken`);
    expect(second.stderr).toContain("api.port");
  } finally {
    stop.abort();
    await running;
  }
  await expect(fetch(`${url}/healthz`)).rejects.toThrow();
});
