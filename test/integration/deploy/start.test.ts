// `tickwell start` as Prometheus sees it: its own server, its own token, the shipped scrape configuration.
import { afterAll, afterEach, beforeAll, expect, it } from "vitest";
import { systemClock } from "../../../src/core/clock.js";
import { startSimulatedExchange, type SimulatedExchange } from "../../../simulator/simulated-exchange.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";
import { parseExposition, sumOf } from "../../support/exposition.js";
import { hasProgram, promtool } from "../../support/prometheus.js";
import { startPrometheus, type RunningPrometheus } from "../../support/running-prometheus.js";
import { BUSY_MARKET } from "../../support/running-instance.js";
import { spawnCli } from "../../support/spawn-cli.js";
import { until } from "../../support/until.js";
import { newWorkFolder } from "../../support/work-folder.js";

const TOKEN = "0123456789abcdef0123";

let exchange: SimulatedExchange;
let database: TestDatabase;
let prometheus: RunningPrometheus | undefined;
beforeAll(async () => {
  exchange = await startSimulatedExchange({
    seed: 1,
    clock: systemClock,
    venueMarkets: { binance: [BUSY_MARKET] },
  });
  database = await createTestDatabase();
});
afterEach(() => prometheus?.close());
afterAll(async () => {
  await exchange.close();
  await database.drop();
});

it.skipIf(!hasProgram("prometheus"))(
  "is scraped by a real Prometheus, with its token and not without",
  async () => {
    const folder = await newWorkFolder();
    await folder.configure({
      instance: { storage: { url: database.url }, api: { port: 0, token: TOKEN }, log: { format: "json" } },
      collector: {
        exchange: { name: "binance", rest_url: exchange.url, ws_url: exchange.url.replace("http", "ws") },
        symbols: [{ symbol: BUSY_MARKET.symbol, channels: ["candles", "trades", "book"] }],
      },
    });
    const cli = spawnCli([...folder.options, "start"]);
    await cli.says("dashboard and API: ");
    const [, url = ""] = /dashboard and API: (http:\/\/[^\s"]+)/.exec(cli.stderr) ?? [];
    const address = new URL(url).host;

    expect((await fetch(`http://${address}/metrics`)).status).toBe(401);
    const served = await fetch(`http://${address}/metrics`, {
      headers: { authorization: `Bearer ${TOKEN}` },
    });
    expect(served.headers.get("content-type")).toContain("text/plain; version=0.0.4");
    const text = await served.text();
    expect(promtool(["check", "metrics"], text)).toEqual({ status: 0, output: "" });
    expect(sumOf(parseExposition(text), "tickwell_build_info")).toBe(1);
    expect((await fetch(`http://${address}/healthz`)).status).toBe(200);

    prometheus = await startPrometheus({ target: address, token: TOKEN });
    const { query } = prometheus;
    await until(async () => (await query('up{job="tickwell"} == 1')).length > 0, { what: () => cli.stderr });
    await until(
      async () => (await query('tickwell_records_committed_total{data_type="trades"} > 0')).length > 0,
    );
    const { stderr, status } = await cli.kill("SIGTERM");
    expect({ stderr, status }).toMatchObject({ status: 0 });
    // It notices that the program is gone.
    await until(async () => (await query('up{job="tickwell"} == 0')).length > 0);
  },
);

it("the demo has the same metrics, of its simulated exchanges", async () => {
  const folder = await newWorkFolder();
  const cli = spawnCli(["--data-dir", folder.dataDir, "demo", "--port", "0", "--duration", "10m"]);
  await cli.says("Dashboard and API");
  const [, url = ""] = /Dashboard and API[^:]*: (http:\/\/[^\s"]+)/.exec(cli.stderr) ?? [];
  const read = async (): Promise<ReturnType<typeof parseExposition>> =>
    parseExposition(await (await fetch(new URL("/metrics", url))).text());
  for (const exchangeName of ["binance", "okx"]) {
    const labels = { exchange: exchangeName };
    await until(
      async () => {
        const samples = await read();
        const of = (name: string): number => sumOf(samples, name, labels) ?? 0;
        return (
          of("tickwell_records_committed_total") > 0 &&
          of("tickwell_stream_messages_total") > 0 &&
          of("tickwell_api_requests_total") > 0
        );
      },
      { what: () => cli.stderr },
    );
  }
  // Its database ends with it.
  await cli.kill("SIGTERM");
});
