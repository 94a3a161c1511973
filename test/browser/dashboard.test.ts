// The dashboard in a real browser, against the running program: what goes wrong shows up and mends itself on the page, everybody can
// use it, and nothing is said on the console. Needs Debian's chromium.
import { createServer, type AddressInfo } from "node:net";
import { fileURLToPath } from "node:url";
import axe from "axe-core";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../src/core/clock.js";
import { startSimulatedExchange, type SimulatedExchange } from "../../simulator/simulated-exchange.js";
import { hasChromium, launchChromium } from "../support/chromium.js";
import { createTestDatabase, type TestDatabase } from "../support/database.js";
import { spawnCli } from "../support/spawn-cli.js";
import { until } from "../support/until.js";
import { newWorkFolder } from "../support/work-folder.js";

/** So long the exchange fails for one market, by the machine's clock. */
const TROUBLE_MS = 20_000;
const PAGES = [
  "#/",
  `#/market/${encodeURIComponent("binance:BTC/USDT")}`,
  "#/repairs",
  "#/quality",
  "#/system",
  "#/gaps",
  "#/gaps?data=orderbook",
];

/** Asks as TradingView's datafeed does, and draws what it is told. */
const CHART_PAGE = `<!doctype html><link rel="icon" href="data:,"><script src="/lightweight-charts.js"></script><body><script type="module">
  const ask = async (path, query) => (await fetch("/udf/" + path + "?" + new URLSearchParams(query))).json();
  const { supported_resolutions } = await ask("config", {});
  const [{ symbol }] = await ask("search", { query: "BTC", type: "", exchange: "", limit: "5" });
  const { ticker } = await ask("symbols", { symbol });
  const to = await ask("time", {});
  const range = { symbol: ticker ?? symbol, resolution: supported_resolutions[0], from: to - 6 * 3600, to };
  const history = await ask("history", range);
  const marks = await ask("marks", range);
  const chart = LightweightCharts.createChart(document.body, { width: 880, height: 460 });
  const series = chart.addSeries(LightweightCharts.CandlestickSeries, { upColor: "#00c800", downColor: "#c80000", borderVisible: false });
  series.setData(history.t.map((time, i) => ({ time, open: history.o[i], high: history.h[i], low: history.l[i], close: history.c[i] })));
  chart.timeScale().fitContent();
  await new Promise(requestAnimationFrame);
  const picture = chart.takeScreenshot();
  const { data } = picture.getContext("2d").getImageData(0, 0, picture.width, picture.height);
  let coloured = 0;
  for (let i = 0; i < data.length; i += 4) if (data[i + 2] < 40 && Math.abs(data[i] - data[i + 1]) > 100) coloured++;
  globalThis.drawn = { bars: history.t.length, marks: (marks.id ?? marks).length, coloured };
</script>`;

let browser: Browser;
let exchange: SimulatedExchange;
let database: TestDatabase;

beforeAll(async () => {
  if (!hasChromium) return;
  browser = await launchChromium();
  const nowMs = systemClock.nowMs();
  exchange = await startSimulatedExchange({
    seed: 1,
    clock: systemClock,
    faults: {
      faults: [{ kind: "http_5xx", endpoint: "klines", symbols: ["ETH/USDT"], clock_to: nowMs + TROUBLE_MS }],
    },
  });
  database = await createTestDatabase();
});
afterAll(async () => {
  await browser?.close();
  await exchange?.close();
  await database?.drop();
});

async function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer();
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => resolve(port));
    });
  });
}

interface Program {
  readonly port: number;
  /** Of its dashboard. */
  readonly url: string;
  readonly stderr: () => string;
  readonly kill: () => Promise<unknown>;
}

/** The program, following simulated markets. */
async function startProgram(wantedPort?: number): Promise<Program> {
  const folder = await newWorkFolder();
  const port = wantedPort ?? (await freePort());
  await folder.configure({
    instance: { storage: { url: database.url }, api: { port }, log: { format: "json" } },
    collector: {
      exchange: { name: "binance", rest_url: exchange.url, ws_url: exchange.url.replace("http", "ws") },
      symbols: [{ symbol: "BTC/USDT", channels: ["candles", "trades", "book"] }, { symbol: "ETH/USDT" }],
      mode: { history: { since: "6h" }, intervals: { collect: "5s", backfill: "5s", quality: "10s" } },
      retry: { attempts: 1 },
    },
  });
  const cli = spawnCli([...folder.options, "start"]);
  const url = `http://127.0.0.1:${port}/`;
  await until(
    async () =>
      cli.hasEnded ||
      (await fetch(url).then(
        ({ ok }) => ok,
        () => false,
      )),
    {
      what: () => cli.stderr,
    },
  );
  expect(cli.hasEnded, cli.stderr).toBe(false);
  return { port, url, stderr: () => cli.stderr, kill: () => cli.kill("SIGKILL") };
}

/** A page that remembers what its console said. */
async function openPage(
  options: Parameters<Browser["newContext"]>[0],
): Promise<{ page: Page; complaints: string[] }> {
  const context = await browser.newContext(options);
  const page = await context.newPage();
  const complaints: string[] = [];
  page.on("console", (message) => {
    if (message.type() === "error" || message.type() === "warning") complaints.push(message.text());
  });
  page.on("pageerror", (error) => complaints.push(String(error)));
  return { page, complaints };
}

/** Serious faults of accessibility, in a word each. */
async function faultsOf(page: Page): Promise<string[]> {
  // The page's own policy forbids injected scripts, as it should: this one is let in by the browser itself.
  await page.evaluate(axe.source);
  const { violations } = await page.evaluate(() =>
    (globalThis as unknown as { axe: typeof axe }).axe.run({ resultTypes: ["violations"] }),
  );
  return violations
    .filter(({ impact }) => impact === "serious" || impact === "critical")
    .map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html.slice(0, 120)).join(" | ")}`);
}

describe.runIf(hasChromium)("the dashboard (needs chromium)", () => {
  it("shows what is missing, and that it is mended, without being loaded again", async () => {
    const { url, stderr } = await startProgram();
    const { page, complaints } = await openPage({ viewport: { width: 1_360, height: 850 } });
    await page.goto(url);
    const row = page.getByRole("row", { name: /binance:ETH/ });
    await row.waitFor({ timeout: 60_000 }).catch((error: unknown) => {
      throw new Error(`${String(error)}\n${stderr()}`);
    });
    await page.evaluate(() => ((globalThis as unknown as { kept: boolean }).kept = true));
    await page
      .getByRole("heading", { name: /candles are missing|gaps are open/ })
      .waitFor({ timeout: 60_000 });
    // What is missing is listed where the first line leads.
    await page.getByRole("link", { name: /candles? (is|are) missing/ }).click();
    await page
      .getByRole("row", { name: /binance:ETH.* 1m / })
      .first()
      .waitFor({ timeout: 15_000 });
    await page.getByRole("link", { name: "Overview" }).click();
    await page
      .getByRole("heading", { name: /The data is whole/ })
      .waitFor({ timeout: 90_000 })
      .catch(async (error: unknown) => {
        const { totals } = (await (await fetch(`${url}api/v1/status`)).json()) as { totals: unknown };
        const said = await page.locator("main h1").innerText();
        throw new Error(`${String(error)}\n${said}\n${JSON.stringify(totals)}\n${stderr()}`);
      });
    // Rows are asked for less often than the first line.
    await row.getByRole("img", { name: /^last 24 hours: covered/ }).waitFor({ timeout: 30_000 });
    expect(await page.evaluate(() => (globalThis as unknown as { kept?: boolean }).kept)).toBe(true);
    expect(await page.getByRole("status").first().innerText()).toContain("live");

    for (const colorScheme of ["light", "dark"] as const) {
      await page.emulateMedia({ colorScheme });
      for (const hash of PAGES) {
        await page.goto(url + hash);
        await page.locator("main h1").waitFor();
        await page.locator("[aria-busy=true]").first().waitFor({ state: "detached" });
        expect([colorScheme, hash, await faultsOf(page)]).toEqual([colorScheme, hash, []]);
      }
    }
    // The chart is drawn, and the book and the trades are there.
    await page.goto(url + (PAGES[1] ?? ""));
    await page.locator(".plot canvas").first().waitFor();
    await page.getByRole("region", { name: "Trades" }).getByRole("row").nth(1).waitFor({ timeout: 60_000 });
    await page.setViewportSize({ width: 390, height: 800 });
    const overflow = (): Promise<number> =>
      page.evaluate("document.documentElement.scrollWidth - innerWidth");
    expect(await overflow()).toBeLessThanOrEqual(0);
    // There the figures of a market are below each other: none is out of sight.
    await page.goto(`${url}#/`);
    const card = page.getByRole("listitem").filter({ hasText: "binance:ETH" });
    for (const title of ["Score", "Verified", "Missing candles", "Without book", "Behind"]) {
      const box = await card.getByText(title, { exact: true }).boundingBox();
      expect([title, box && box.x >= 0 && box.x + box.width <= 390]).toEqual([title, true]);
    }
    expect(await overflow()).toBeLessThanOrEqual(0);
    expect(await faultsOf(page)).toEqual([]);
    expect(complaints).toEqual([]);
  });

  it("says that it is live also when the connection opened before the page was drawn", async () => {
    const { url } = await startProgram();
    const { page } = await openPage({});
    // A stream that opens at once: after the script ran, before anything of the page listens.
    await page.addInitScript(() => {
      class Opened extends EventTarget {
        static readonly OPEN = 1;
        readonly readyState = 1;
        onopen?: () => void;
        constructor() {
          super();
          queueMicrotask(() => this.onopen?.());
        }
        send(): void {
          // Nobody is there.
        }
      }
      (globalThis as unknown as { WebSocket: unknown }).WebSocket = Opened;
    });
    await page.goto(url);
    await page.getByRole("status").first().getByText("live").waitFor({ timeout: 10_000 });
  });

  it("says when the program is gone, and goes on when it is back", async () => {
    const { url, port, kill } = await startProgram();
    const { page } = await openPage({});
    await page.goto(url);
    await page.evaluate(() => ((globalThis as unknown as { kept: boolean }).kept = true));
    const state = page.getByRole("status").first();
    await state.getByText("live").waitFor({ timeout: 30_000 });
    await page.getByRole("row", { name: /binance:BTC/ }).waitFor();
    await kill();
    await state.getByText("connection lost").waitFor({ timeout: 30_000 });
    // What was there stays readable.
    expect(await page.getByRole("row", { name: /binance:BTC/ }).count()).toBe(1);
    await startProgram(port);
    await state.getByText("live").waitFor({ timeout: 60_000 });
    expect(await page.evaluate(() => (globalThis as unknown as { kept?: boolean }).kept)).toBe(true);
  });

  it("the datafeed for TradingView draws a chart, with gaps as marks", async () => {
    const { url } = await startProgram();
    const { page, complaints } = await openPage({ viewport: { width: 900, height: 500 } });
    const library = fileURLToPath(
      import.meta
        .resolve("lightweight-charts")
        .replace(/[^/]+$/, "lightweight-charts.standalone.production.js"),
    );
    // A page of somebody else's, in front of the same server.
    await page.route("**/chart.html", (route) =>
      route.fulfill({ contentType: "text/html", body: CHART_PAGE }),
    );
    await page.route("**/lightweight-charts.js", (route) => route.fulfill({ path: library }));
    await page.goto(`${url}chart.html`);
    await page.waitForFunction("globalThis.drawn !== undefined", undefined, { timeout: 30_000 });
    const drawn = await page.evaluate<{ bars: number; marks: number; coloured: number }>("drawn");
    expect(drawn.bars).toBeGreaterThan(200);
    expect(drawn.marks).toBeGreaterThanOrEqual(0);
    expect(drawn.coloured).toBeGreaterThan(1_000);
    expect(complaints).toEqual([]);
  });
});
