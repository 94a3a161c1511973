// Whole configurations: folders on disk in, the typed config or one error with every mistake out.
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { loadCollectorConfig, loadConfig } from "../../../src/app/config-file.js";
import { historySinceMs } from "../../../src/app/config-resolve.js";
import { TickwellError } from "../../../src/core/fault.js";

const MINIMAL = "exchange: binance\nsymbols:\n  - symbol: BTC/USDT\n";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tickwell-config-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true, force: true });
});

async function write(files: Record<string, string | Uint8Array>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    const file = join(folder, name);
    await mkdir(dirname(file), { recursive: true });
    await writeFile(file, content);
  }
}

/** The lines of the error, the folder's path cut off; fails when there is no error. */
async function mistakesOf(loading: Promise<unknown>): Promise<readonly string[]> {
  const error: unknown = await loading.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(error).toBeInstanceOf(TickwellError);
  expect((error as TickwellError).fault).toEqual({ kind: "config" });
  const [, ...lines] = (error as TickwellError).message.split("\n");
  return lines.map((line) => line.trim().replaceAll(`${folder}/`, ""));
}

async function mistakesIn(
  files: Record<string, string>,
  env: Record<string, string> = {},
): Promise<readonly string[]> {
  await write(files);
  return mistakesOf(loadConfig(folder, { env }));
}

const collector = (text: string) => ({ "collector/a.yml": `${MINIMAL}${text}` });
const instance = (text: string) => ({ "tickwell.yml": text });

describe("loadConfig", () => {
  it("loads the configs that are shipped", async () => {
    const { instance, collectors, files } = await loadConfig("configs", { env: {} });
    expect(instance.storage.url).toBe("embedded");
    expect(collectors).toMatchObject([
      {
        name: "binance_btcusdt_1m",
        symbols: [{ symbol: "BTC/USDT", timeframes: ["1m"], channels: ["candles"] }],
        mode: { history: { since: { kind: "ago", durationMs: 30 * 86_400_000 } }, live: true },
      },
    ]);
    expect(files.collectors).toEqual([join("configs", "collector", "binance_btcusdt_1m.yml")]);
  });

  it("fills in every default", async () => {
    await write({ "collector/btc.yml": MINIMAL });
    expect(await loadConfig(folder, { env: {} })).toEqual({
      instance: {
        storage: {
          url: "embedded",
          retention: {
            candlesMs: undefined,
            tradesMs: undefined,
            booksMs: undefined,
            bookDeltasMs: undefined,
            qualityMs: 365 * 86_400_000,
            errorsMs: 90 * 86_400_000,
            tasksMs: 30 * 86_400_000,
          },
        },
        stage: { kind: "memory", url: undefined, itemsMax: 40_000 },
        api: { host: "127.0.0.1", port: 7377, token: undefined },
        alerts: {
          webhookUrl: undefined,
          slackWebhookUrl: undefined,
          telegram: undefined,
          maintenance: [],
          consecutiveFailures: 5,
          gapAgeMs: 30 * 60_000,
          silentAfterMs: 5 * 60_000,
          lagMs: 30_000,
          stageFill: 0.8,
          diskFreeBytes: 2 * 1024 ** 3,
          mutes: [],
        },
        log: { level: "info", format: "auto" },
        capture: { enabled: false, directory: undefined, rotateSizeBytes: 64 * 1024 ** 2, keepMs: undefined },
      },
      collectors: [
        {
          name: "btc",
          exchange: { name: "binance", restUrl: undefined, wsUrl: undefined },
          symbols: [
            {
              symbol: "BTC/USDT",
              timeframes: ["1m"],
              channels: ["candles"],
              book: { levels: 20, snapshotEveryMs: 1_000, keepsDeltas: false },
            },
          ],
          mode: {
            history: { since: undefined, tradesSince: undefined },
            live: true,
            intervals: { collectMs: 60_000, qualityMs: 600_000, backfillMs: 300_000 },
          },
          request: { timeoutMs: 10_000, limit: undefined, overlap: 3 },
          rateLimit: { share: 0.5 },
          retry: { attempts: 5, baseDelayMs: 500, maxDelayMs: 60_000 },
          validation: { onFailure: "skip_and_log", maxPriceJump: 20, maxVolumeSpike: 50 },
          quality: { lookbackMs: 86_400_000, minScore: 95 },
          backfill: {
            voidConfirmAfterMs: 30_000,
            concurrency: 4,
            workers: 2,
            taskCandles: 10_000,
            maxRetries: 5,
            retryFailedAfterMs: 6 * 3_600_000,
          },
        },
      ],
      files: { instance: undefined, collectors: [join(folder, "collector/btc.yml")], env: [], notRead: [] },
    });
  });

  it("takes what is written over the defaults", async () => {
    await write({
      "tickwell.yml":
        "storage: {url: 'postgresql://u:p@h/d'}\nstage: {kind: redis, url: 'redis://h', items_max: 7}\napi:\n  host: 0.0.0.0\n  port: ${PORT:8080}\n  token: '0123456789abcdef'\nlog: {level: debug}\ncapture: {enabled: true, directory: x, rotate_size: 1.5MB, keep: 7d}\n",
      "collector/one.yaml":
        "name: named\nexchange: {name: binance, rest_url: 'http://localhost:1'}\nsymbols:\n  - {symbol: 'BTC/USDT:USDT', timeframes: [1h, 1d], channels: [candles, trades]}\nmode: {live: false, history: {since: 2024-01-01}, intervals: {collect: 5s}}\nrequest: {limit: 500}\nvalidation: {on_failure: halt}\n",
    });
    const { instance, collectors } = await loadConfig(folder, { env: {} });
    expect(instance).toMatchObject({
      storage: { url: "postgresql://u:p@h/d" },
      stage: { kind: "redis", url: "redis://h", itemsMax: 7 },
      api: { host: "0.0.0.0", port: 8080, token: "0123456789abcdef" },
      log: { level: "debug" },
      capture: { enabled: true, directory: "x", rotateSizeBytes: 1_572_864, keepMs: 604_800_000 },
    });
    expect(collectors).toMatchObject([
      {
        name: "named",
        exchange: { name: "binance", restUrl: "http://localhost:1", wsUrl: undefined },
        symbols: [{ symbol: "BTC/USDT:USDT", timeframes: ["1h", "1d"], channels: ["candles", "trades"] }],
        mode: {
          live: false,
          history: { since: { kind: "at", timeMs: Date.UTC(2024, 0, 1) } },
          intervals: { collectMs: 5_000, qualityMs: 600_000 },
        },
        request: { limit: 500 },
        validation: { onFailure: "halt" },
      },
    ]);
  });

  it.each([
    ["2024-01-01", Date.UTC(2024, 0, 1)],
    ["2024-01-01T08:00:00+02:00", Date.UTC(2024, 0, 1, 6)],
    ["1704067200000", Date.UTC(2024, 0, 1)],
    ["'1704067200000'", Date.UTC(2024, 0, 1)],
    ["30d", Date.UTC(2024, 5, 1) - 30 * 86_400_000],
  ])("reads history.since: %s", async (since, timeMs) => {
    await write(collector(`mode: {history: {since: ${since}}}\n`));
    const [loaded] = (await loadConfig(folder, { env: {} })).collectors;
    const parsed = loaded?.mode.history.since;
    expect(parsed && historySinceMs(parsed, Date.UTC(2024, 5, 1))).toBe(timeMs);
  });

  it("reads alerts, announced maintenance, retention, and limits for one symbol", async () => {
    await write({
      "tickwell.yml":
        "storage: {retention: {candles: 400d, trades: 90d, books: 30d, book_deltas: 7d, errors: 7d}}\nalerts:\n  slack_webhook_url: https://hooks.example/x\n  telegram: {bot_token: 'b', chat_id: '-1'}\n  maintenance: [{from: 2026-12-01, to: 2026-12-01T02:00:00Z, exchange: binance}]\n",
      "collector/one.yml": "exchange: binance\nsymbols: [{symbol: BTC/USDT, max_price_jump: 40}]\n",
    });
    const { instance, collectors } = await loadConfig(folder, { env: {} });
    expect(instance.storage.retention).toMatchObject({
      candlesMs: 400 * 86_400_000,
      tradesMs: 90 * 86_400_000,
      booksMs: 30 * 86_400_000,
      bookDeltasMs: 7 * 86_400_000,
      errorsMs: 7 * 86_400_000,
    });
    expect(instance.alerts).toMatchObject({
      slackWebhookUrl: "https://hooks.example/x",
      telegram: { botToken: "b", chatId: "-1" },
      maintenance: [{ startMs: Date.UTC(2026, 11, 1), endMs: Date.UTC(2026, 11, 1, 2), exchange: "binance" }],
    });
    expect(collectors[0]?.symbols[0]).toMatchObject({ maxPriceJump: 40, maxVolumeSpike: undefined });
  });

  it("refuses a maintenance that ends before it begins", async () => {
    await write({
      "tickwell.yml": "alerts: {maintenance: [{from: 2026-12-02, to: 2026-12-01}]}\n",
      "collector/one.yml": MINIMAL,
    });
    await expect(loadConfig(folder, { env: {} })).rejects.toThrow(
      /alerts\.maintenance\[0\]\.to.*not after from/,
    );
  });

  it("reads single files, tells them apart by their keys, and each only once", async () => {
    await write({ "here.yml": "api: {port: 1}\n", "there.yml": MINIMAL });
    const paths = [join(folder, "there.yml"), join(folder, "here.yml"), join(folder, ".", "there.yml")];
    const { instance, collectors } = await loadConfig(paths, { env: {} });
    expect(instance.api.port).toBe(1);
    expect(collectors.map(({ name }) => name)).toEqual(["there"]);
  });

  it("reads collectors in the order of their names and leaves other files alone", async () => {
    const btc = (symbol: string) => MINIMAL.replace("BTC", symbol);
    await write({
      "collector/b.yml": btc("B"),
      "collector/a.yml": btc("A"),
      "collector/README.md": "not yaml: [",
      "collector/.#a.yml": "not yaml: [",
      "other.yml": "not yaml: [",
    });
    const { collectors, files } = await loadConfig(folder, { env: {} });
    expect(collectors.map(({ name }) => name)).toEqual(["a", "b"]);
    expect(files.notRead).toEqual([join(folder, "other.yml")]);
  });
});

describe("variables", () => {
  const text = "exchange: binance\nsymbols: [{symbol: BTC/USDT}]\nname: ${NAME}\n";

  it("come from .env in the config folder and in collector/, the nearer one first, the environment before both", async () => {
    await write({ ".env": "NAME=outer\n", "collector/a.yml": text });
    const nameWith = async (env: Record<string, string>) =>
      (await loadConfig(folder, { env })).collectors[0]?.name;
    expect(await nameWith({})).toBe("outer");
    await write({ "collector/.env": "NAME=inner # comment\n" });
    expect(await nameWith({})).toBe("inner");
    expect(await nameWith({ NAME: "real" })).toBe("real");
  });

  it("are found for a collector that is loaded by itself", async () => {
    await write({ ".env": "NAME=outer\n", "collector/a.yml": text });
    expect((await loadCollectorConfig(join(folder, "collector/a.yml"), { env: {} })).name).toBe("outer");
  });

  it("that are unset are an error which is not followed by others", async () => {
    const mistakes = await mistakesIn({
      "tickwell.yml": "stage:\n  kind: redis\n  url: ${REDIS}\n",
      "collector/a.yml": "exchange: ${EX}\nsymbols:\n  - symbol: BTC/USDT\n    timeframes:\n      - ${TF}\n",
    });
    expect(mistakes).toEqual([
      expect.stringMatching(/^tickwell\.yml:3:8 stage\.url: the environment variable REDIS is not set/),
      expect.stringMatching(/^collector\/a\.yml:1:11 exchange: the environment variable EX is not set/),
      expect.stringMatching(
        /^collector\/a\.yml:5:9 symbols\[0\]\.timeframes\[0\]: the environment variable TF is not set/,
      ),
    ]);
  });
});

describe("mistakes", () => {
  it.each([
    [
      "exchnage: binance",
      "collector/a.yml:4:1 exchnage: unknown key; did you mean exchange? allowed: name, exchange, ",
    ],
    [
      "timeout: 5s",
      "collector/a.yml:4:1 timeout: unknown key; did you mean request.timeout? allowed: name, ",
    ],
    ["storage: {}", "collector/a.yml:4:1 storage: unknown key; it belongs in tickwell.yml; allowed: name, "],
    ["zzz: {}", "collector/a.yml:4:1 zzz: unknown key; allowed: name, "],
    [
      "mode:\n  intervals:\n    colect: 5s",
      "collector/a.yml:6:5 mode.intervals.colect: unknown key; did you mean collect? allowed: collect, quality, backfill",
    ],
    [
      "request: {timeout: 10}",
      "collector/a.yml:4:20 request.timeout: found 10; expected a duration from 100ms to 10m",
    ],
    [
      "request: {timeout: 1 minute}",
      'collector/a.yml:4:20 request.timeout: found "1 minute"; expected a duration',
    ],
    [
      "request: {timeout: 11m}",
      'collector/a.yml:4:20 request.timeout: found "11m"; expected a duration from 100ms to 10m',
    ],
    ["request: 10s", 'collector/a.yml:4:10 request: found "10s"; expected a map of timeout, limit, overlap'],
    [
      "rate_limit: {share: 0}",
      "collector/a.yml:4:21 rate_limit.share: found 0; expected a number above 0 and at most 1",
    ],
    [
      "rate_limit: {share: .nan}",
      "collector/a.yml:4:21 rate_limit.share: found .nan; expected a number above 0",
    ],
    [
      "retry: {attempts: 2.5}",
      "collector/a.yml:4:19 retry.attempts: found 2.5; expected a whole number from 1 to 100",
    ],
    ["retry: {base_delay: 5m}", "collector/a.yml:4:21 retry.base_delay: is longer than retry.max_delay"],
    ["mode: {live: yes}", 'collector/a.yml:4:14 mode.live: found "yes"; expected true or false'],
    ["mode: {live: false}", "collector/a.yml:4:14 mode.live: false without history.since"],
    [
      "mode: {history: {since: 2023-02-30}}",
      'collector/a.yml:4:25 mode.history.since: found "2023-02-30"; expected a date',
    ],
    [
      "mode: {history: {since: 0204-01-01}}",
      'collector/a.yml:4:25 mode.history.since: found "0204-01-01"; expected a date',
    ],
    ["mode: {history: {since: 0d}}", 'collector/a.yml:4:25 mode.history.since: found "0d"; expected a date'],
    ["request: {limit: 3}", "collector/a.yml:4:18 request.limit: must be above request.overlap"],
    [
      "validation: {on_failure: stop}",
      'collector/a.yml:4:26 validation.on_failure: found "stop"; expected skip_and_log, retry, store_and_flag or halt',
    ],
    [
      "name: 7",
      "collector/a.yml:4:7 name: found 7; expected a name of letters, digits, _, - and ., at most 64; put it in quotes",
    ],
    [
      "<<: {retry: 1}",
      "collector/a.yml:4:1 <<: unknown key; merge keys are not read, write the values out; allowed: ",
    ],
  ])("in a collector are named: %s", async (text, message) => {
    expect(await mistakesIn(collector(`${text}\n`))).toEqual([expect.stringContaining(message)]);
  });

  it.each([
    [
      "exchange: binanse\nsymbols: [{symbol: A/B}]",
      'a.yml:1:11 exchange: found "binanse"; expected binance, binanceusdm or okx or a map of name, rest_url, ws_url, trades; did you mean binance?',
    ],
    [
      "exchange: {name: bnance}\nsymbols: [{symbol: A/B}]",
      'a.yml:1:18 exchange.name: found "bnance"; expected binance, binanceusdm or okx; did you mean binance?',
    ],
    [
      "exchange: {name: binance, rest_ulr: 'http://x'}\nsymbols: [{symbol: A/B}]",
      "a.yml:1:27 exchange.rest_ulr: unknown key; did you mean rest_url? allowed: name, rest_url, ws_url, trades",
    ],
    [
      "exchange: {name: okx, trades: row}\nsymbols: [{symbol: A/B}]",
      'a.yml:1:31 exchange.trades: found "row"; expected aggregated or raw; did you mean raw?',
    ],
    [
      "exchange: {name: binanceusdm, trades: raw}\nsymbols: [{symbol: A/B}]",
      "a.yml:1:39 exchange.trades: found raw; Binance tells the raw trades of its futures to holders of an API key only, so that missing ones could not be repaired; expected aggregated",
    ],
    [
      "exchange: {rest_url: 'http://x'}\nsymbols: [{symbol: A/B}]",
      "a.yml:1:1 exchange.name: is missing; expected binance",
    ],
    [
      "exchange: binance\nsymbols: []",
      "a.yml:2:10 symbols: found an empty list; expected a list of at least one",
    ],
    [
      "exchange: binance\nsymbols: [{symbol: BTCUSDT}]",
      'a.yml:2:20 symbols[0].symbol: found "BTCUSDT"; expected a unified symbol such as BTC/USDT',
    ],
    [
      "exchange: binance\nsymbols: [BTC/USDT]",
      'a.yml:2:11 symbols[0]: found "BTC/USDT"; expected a map of symbol, timeframes, channels',
    ],
    [
      "exchange: binance\nsymbols:\n  - symbol: A/B\n    timeframes: [1h, 1min]",
      'a.yml:4:22 symbols[0].timeframes[1]: found "1min"; expected 1m, 3m, 5m',
    ],
    [
      "exchange: binance\nsymbols:\n  -",
      "a.yml:3:4 symbols[0]: found nothing; expected a map of symbol, timeframes, channels",
    ],
    ["- exchange", "a.yml:1:1: found a list; expected a map of name, exchange"],
    ["exchange", 'a.yml:1:1: found "exchange"; expected a map of name, exchange'],
  ])("in what is compulsory are named: %j", async (text, message) => {
    await write({ "a.yml": text });
    expect(await mistakesOf(loadCollectorConfig(join(folder, "a.yml"), { env: {} }))).toEqual([
      expect.stringContaining(message),
    ]);
  });

  it("in an empty collector file are that everything compulsory is missing", async () => {
    expect(await mistakesIn({ "collector/a.yml": "" })).toEqual([
      expect.stringContaining("collector/a.yml:1:1 exchange: is missing; expected binance"),
      expect.stringContaining("collector/a.yml:1:1 symbols: is missing; expected a list"),
    ]);
  });

  it.each([
    ["stage:\n  kind: redis", "tickwell.yml:1:1 stage.url: is missing; stage.kind redis needs it"],
    ["api: {host: 0.0.0.0}", "tickwell.yml:1:1 api.token: is missing; api.host is not loopback"],
    [
      "api: {token: hush567890123456, write_token: hush567890123456}",
      "tickwell.yml:1:45 api.write_token: is the same as token",
    ],
    ["api: {write_token: short}", "tickwell.yml:1:20 api.write_token: found"],
    ["api: {host: '::'}", "tickwell.yml:1:1 api.token: is missing; api.host is not loopback"],
    [
      "api: {port: 65536}",
      "tickwell.yml:1:13 api.port: found 65536; expected a whole number from 0 to 65535",
    ],
    [
      "api: {token: ''}",
      "tickwell.yml:1:14 api.token: found an empty text (not shown); expected a text of at least 16",
    ],
    [
      "log: {level: wran}",
      'tickwell.yml:1:14 log.level: found "wran"; expected debug, info, warn, error or silent; did you mean warn?',
    ],
    [
      "storage: {url: embeded}",
      'tickwell.yml:1:16 storage.url: found "embeded"; expected embedded, or a URL',
    ],
    [
      "capture: {rotate_size: 64mb}",
      'tickwell.yml:1:24 capture.rotate_size: found "64mb"; expected a size from 1MB to 100GB',
    ],
    [
      "symbols: []",
      "tickwell.yml:1:1 symbols: unknown key; it belongs in a file under collector/; allowed: storage, ",
    ],
  ])("in the instance are named: %s", async (text, message) => {
    expect(await mistakesIn(instance(`${text}\n`))).toEqual([expect.stringContaining(message)]);
  });

  it.each(["127.0.0.1", "127.1.2.3", "localhost", "'::1'"])(
    "are not seen in a loopback host without a token: %s",
    async (host) => {
      await write(instance(`api: {host: ${host}}\n`));
      await expect(loadConfig(folder, { env: {} })).resolves.toMatchObject({
        instance: { api: { token: undefined } },
      });
    },
  );

  it("of all files come in one error, by file and line, unreadable YAML included", async () => {
    const mistakes = await mistakesIn({
      "tickwell.yml": "log: {level: loud}\nxyz: 1\n",
      "collector/a.yml": `${MINIMAL}retry: {attempts: 0}\nnope: 1\n`,
      "collector/b.yml": "exchange: binance\n  symbols: []\n",
    });
    expect(mistakes.map((mistake) => mistake.split(" ")[0])).toEqual([
      "tickwell.yml:1:14",
      "tickwell.yml:2:1",
      "collector/a.yml:4:19",
      "collector/a.yml:5:1",
      expect.stringMatching(/^collector\/b\.yml:[12]:\d+:$/),
    ]);
  });

  it("between collectors are named with both places", async () => {
    const mistakes = await mistakesIn({
      "collector/a.yml": `name: same\n${MINIMAL}`,
      "collector/b.yml":
        "name: same\nexchange: {name: binance}\nsymbols:\n  - symbol: BTC/USDT\n    timeframes: [1h, 1m]\n",
    });
    expect(mistakes).toEqual([
      "collector/b.yml:1:7 name: the collector name same is given twice, first in collector/a.yml:1; give each collector a name of its own",
      "collector/b.yml:5:22 symbols[0].timeframes[1]: binance:BTC/USDT 1m is given twice, first in collector/a.yml:4; let one collector have it",
    ]);
  });

  it("within a collector are found the same way, whatever the channel", async () => {
    const symbols =
      "exchange: binance\nsymbols:\n  - {symbol: A/B, channels: [trades]}\n  - {symbol: A/B, channels: [trades, book]}\n";
    expect(await mistakesIn({ "collector/a.yml": symbols })).toEqual([
      expect.stringMatching(
        /^collector\/a\.yml:4:30 symbols\[1\]\.channels\[0\]: binance:A\/B trades is given twice/,
      ),
    ]);
  });

  it("are not seen in two collectors that share a symbol but no timeframe", async () => {
    await write({ "collector/a.yml": MINIMAL, "collector/b.yml": `${MINIMAL}    timeframes: [1h]\n` });
    expect((await loadConfig(folder, { env: {} })).collectors).toHaveLength(2);
  });
});

describe("files", () => {
  it("that are missing are named with what would be a beginning", async () => {
    expect(await mistakesOf(loadConfig(join(folder, "nowhere"), { env: {} }))).toEqual([
      expect.stringMatching(
        /^nowhere: no such folder; create it with a collector in nowhere\/collector\/.*--config$/,
      ),
    ]);
    expect(await mistakesOf(loadCollectorConfig(join(folder, "x.yml"), { env: {} }))).toEqual([
      expect.stringMatching(/^x\.yml: no such file; create it/),
    ]);
  });

  it("that are not where they belong are named when the folder holds nothing else", async () => {
    await write({ "binance.yml": MINIMAL });
    expect(await mistakesOf(loadConfig(folder, { env: {} }))).toEqual([
      expect.stringContaining("holds neither tickwell.yml nor collector/*.yml; binance.yml is neither"),
    ]);
  });

  it("must be UTF-8 and not folders", async () => {
    await write({ "collector/a.yml": Buffer.from("\uFEFFexchange: binance", "utf16le") });
    await mkdir(join(folder, "collector/b.yml"));
    expect(await mistakesOf(loadConfig(folder, { env: {} }))).toEqual([
      "collector/a.yml: is not UTF-8 text; save it as UTF-8",
      "collector/b.yml: is a folder; expected a file",
    ]);
  });

  // The superuser may read everything.
  it.skipIf(process.getuid?.() === 0)("that may not be read are named", async () => {
    await write({ "collector/a.yml": MINIMAL });
    await chmod(join(folder, "collector/a.yml"), 0);
    expect(await mistakesOf(loadConfig(folder, { env: {} }))).toEqual([
      expect.stringContaining("collector/a.yml: cannot be read: permission denied"),
    ]);
  });

  it("cannot both be the instance", async () => {
    expect(await mistakesIn({ "tickwell.yml": "", "tickwell.yaml": "" })).toEqual([
      expect.stringMatching(
        /^tickwell\.yml: a second instance file beside tickwell\.yaml; keep one of them$/,
      ),
    ]);
  });

  it("whose names are no collector names need a name inside", async () => {
    expect(await mistakesIn({ "collector/my btc.yml": MINIMAL })).toEqual([
      expect.stringMatching(
        /^collector\/my btc\.yml:1:1 name: is missing, and "my btc", from the file's name/,
      ),
    ]);
  });
});

describe("secrets", () => {
  it.each([
    ["storage: {url: 'postgres:/me:hush@db/x'}"],
    ["storage: {url: 'mysql://me:hush@db/x'}"],
    ["storage: {url: 'me:hush@db/x'}"],
    ["stage: {kind: redis, url: 'http://:hush@h'}"],
    ["api: {token: hush}"],
    ["api: {token: [hush]}"],
    ["alerts: {webhook_url: hooks.example/hush}"],
    ["api:\n  port: ${SECRET}"],
    ["log:\n  level: ${SECRET}"],
    ["storage:\n  url: ${SECRET}"],
    ["storage: {password: hush}"],
  ])("are not in the error for %s", async (text) => {
    const mistakes = await mistakesIn(instance(`${text}\n`), { SECRET: "hush hush" });
    expect(mistakes.length).toBeGreaterThan(0);
    expect(mistakes.join("\n")).not.toContain("hush");
  });

  it("in a host's URL are masked in the error for it", async () => {
    await write({
      "a.yml": "exchange: {name: binance, rest_url: 'ftp://me:hush@h'}\nsymbols: [{symbol: A/B}]\n",
    });
    const mistakes = await mistakesOf(loadCollectorConfig(join(folder, "a.yml"), { env: {} }));
    expect(mistakes).toEqual([expect.stringContaining("ftp://me:***@h")]);
    expect(mistakes.join()).not.toContain("hush");
  });
});
