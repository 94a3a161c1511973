// `import` and `export` as the command line runs them, against a database of their own.
import { existsSync } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gunzipSync, gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { CANDLE_FLAGS } from "../../../src/core/model/candle-flags.js";
import { BTC_USDT, MINUTE_MS, minuteMs } from "../../support/candles.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";
import { runCommand, type CommandResult } from "../../support/run-command.js";

const REAL_FILE = "../shared/data/candles/btc-perp-1m-2022-01.csv.gz";
const HEADER = "timestamp,open,high,low,close,volume";

let database: TestDatabase;
let other: TestDatabase;
let folder: string;
let marketNumber = 0;
let market: string;

beforeAll(async () => {
  [database, other] = await Promise.all([createTestDatabase(), createTestDatabase()]);
});
afterAll(() => Promise.all([database.drop(), other.drop()]));
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tickwell-files-"));
  market = `binance:T${++marketNumber}/USDT`;
  await useDatabase(database);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Points the config of this test at a database. */
async function useDatabase({ url }: TestDatabase): Promise<void> {
  await mkdir(join(folder, "configs"), { recursive: true });
  await writeFile(join(folder, "configs", "tickwell.yml"), `storage: {url: '${url}'}\n`);
}

function run(...argv: readonly string[]): Promise<CommandResult> {
  return runCommand([...argv, "-c", join(folder, "configs")]);
}

async function fileOf(name: string, content: string | Buffer): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

const importOf = (file: string, ...more: readonly string[]): Promise<CommandResult> =>
  run("import", file, "--market", market, "--timeframe", "1m", ...more);

async function importJson(file: string, ...more: readonly string[]): Promise<Record<string, unknown>> {
  const { stdout } = await importOf(file, "--json", ...more);
  return JSON.parse(stdout) as Record<string, unknown>;
}

interface GapJson {
  readonly start: string;
  readonly end: string;
  readonly candles: number;
  readonly reason: string;
}

async function gapsOf(): Promise<readonly GapJson[]> {
  const { stdout } = await run("gaps", "--market", market, "--json");
  return (JSON.parse(stdout) as { gaps: readonly GapJson[] }).gaps;
}

const iso = (timeMs: number): string => new Date(timeMs).toISOString().replace(".000Z", "Z");
const span = (from: number, to: number) => ({ start: iso(minuteMs(from)), end: iso(minuteMs(to)) });
const row = (minute: number, close = "1.5"): string => `${minuteMs(minute)},1,2,1,${close},5`;
const rowsBetween = (from: number, to: number): string[] =>
  Array.from({ length: to - from }, (_, i) => row(from + i));
const csv = (...rows: readonly string[]): string => `${[HEADER, ...rows].join("\n")}\n`;

describe("import", () => {
  it("stores a file's candles and lists its holes as gaps", async () => {
    const file = await fileOf("a.csv", csv(...rowsBetween(0, 10), ...rowsBetween(13, 20), row(21)));
    const { status, stdout } = await importOf(file);
    expect(status).toBe(0);
    expect(stdout).toContain(
      "18 rows from 2024-01-01 00:00 to 2024-01-01 00:21 UTC: 18 new, 0 stored before, 0 refused.",
    );
    expect(stdout).toContain("4 candles are missing in between, in 2 gaps");
    expect(await gapsOf()).toMatchObject([
      { ...span(10, 13), candles: 3 },
      { ...span(20, 21), candles: 1 },
    ]);
  });

  it("flags a jump of the price and a spike of the volume, also where chunks meet", async () => {
    // Chunks hold 5,000 rows: the spike is the first of the second one, and is usual by nothing after it.
    const calm = (minute: number): string =>
      `${minuteMs(minute)},100,101,99,${100 + (minute % 2)},${5 + (minute % 3)}`;
    const rows = Array.from({ length: 5_100 }, (_, minute) => calm(minute));
    rows[3_000] = `${minuteMs(3_000)},100,151,99,150,5`;
    rows[5_000] = `${minuteMs(5_000)},100,101,99,100,5000`;
    await importOf(await fileOf("a.csv", csv(...rows)));
    const flagged = await database.sql<{ minute: number; flags: number }>(
      `SELECT (extract(epoch FROM o.open_time) * 1000 - ${minuteMs(0)})::bigint / 60000 AS minute, o.flags FROM ohlcv o
       JOIN markets m ON m.id = o.market_id WHERE m.symbol = '${market.slice("binance:".length)}' AND o.flags <> 0 ORDER BY 1`,
    );
    // To 150 and back from it.
    expect(flagged.map(({ minute, flags }) => [Number(minute), flags])).toEqual([
      [3_000, CANDLE_FLAGS.price_jump],
      [3_001, CANDLE_FLAGS.price_jump],
      [5_000, CANDLE_FLAGS.volume_spike],
    ]);
  });

  it("changes nothing the second time", async () => {
    const file = await fileOf("a.csv", csv(...rowsBetween(0, 10), ...rowsBetween(13, 20)));
    await importOf(file);
    const before = await gapsOf();
    expect(await importJson(file)).toMatchObject({
      rows: 17,
      stored: 0,
      revised: 0,
      unchanged: 17,
      gaps: 1,
      missing_candles: 3,
    });
    expect(await gapsOf()).toEqual(before);
    const revisions = await database.sql("SELECT DISTINCT revision FROM ohlcv");
    expect(revisions).toEqual([{ revision: 0 }]);
  });

  it("finds the holes of a long file that runs newest first, also where chunks meet", async () => {
    // Chunks hold 5,000 rows: of 12,000 minutes one is taken out at each border and beside it.
    const minutes = Array.from({ length: 12_000 }, (_, i) => 11_999 - i);
    const removed = new Set([6_999, 6_998, 2_000, 1_996, 5_555]);
    const file = await fileOf(
      "a.csv",
      csv(...minutes.filter((minute) => !removed.has(minute)).map((minute) => row(minute))),
    );
    const result = await importJson(file);
    expect(result).toMatchObject({ rows: 11_995, stored: 11_995, rejected: 0, gaps: 4, missing_candles: 5 });
    expect(result).toMatchObject({ first: iso(minuteMs(0)), last: iso(minuteMs(11_999)), complete: true });
    expect(await gapsOf()).toMatchObject([
      span(1_996, 1_997),
      span(2_000, 2_001),
      span(5_555, 5_556),
      span(6_998, 7_000),
    ]);
    const store = await database.openStore();
    expect(await store.audit({})).toEqual([]);
  });

  it("keeps good rows, quarantines bad ones, and leaves their minutes as gaps with that reason", async () => {
    const good = rowsBetween(0, 10);
    const file = await fileOf(
      "a.csv",
      csv(
        ...good,
        `${minuteMs(10)},1,0.5,1,1,5`,
        "yesterday,1,2,1,1.5,5",
        ...rowsBetween(12, 15),
        `${minuteMs(15)},1,2,1,,5`,
        "9999999999999,1,2,1,1.5,5",
      ),
    );
    const { status, stdout, stderr } = await importOf(file, "--json");
    expect(status).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({
      rows: 17,
      stored: 13,
      rejected: 4,
      gaps: 2,
      missing_candles: 3,
    });
    expect(stderr).toContain(`${file}:12: high 0.5 < low 1: "${minuteMs(10)},1,0.5,1,1,5"`);
    expect(stderr).toContain(`${file}:13: time "yesterday" cannot be read`);
    expect(await gapsOf()).toMatchObject([
      { ...span(10, 12), reason: "rejected" },
      { ...span(15, 16), reason: "rejected" },
    ]);
    const kept = await database.sql<{ raw: string; rule: string; source: string }>(
      "SELECT q.raw, q.rule, q.source FROM quarantine q JOIN markets m ON m.id = q.market_id WHERE 'binance:' || m.symbol = $1 ORDER BY q.id",
      [market],
    );
    expect(new Set(kept.map((each) => each.raw))).toEqual(
      new Set([
        `${minuteMs(10)},1,0.5,1,1,5`,
        "yesterday,1,2,1,1.5,5",
        `${minuteMs(15)},1,2,1,,5`,
        "9999999999999,1,2,1,1.5,5",
      ]),
    );
    expect(new Set(kept.map((each) => each.source))).toEqual(new Set(["import"]));
  });

  it("shows ten refused rows and counts the others", async () => {
    const bad = Array.from({ length: 25 }, (_, i) => `${minuteMs(2 + i)},1,0.5,1,1,5`);
    const { stderr } = await importOf(await fileOf("a.csv", csv(row(0), ...bad)));
    expect(stderr.match(/high 0\.5 < low 1/g)).toHaveLength(10);
    expect(stderr).toContain("… and 15 more refused");
  });

  it("does not count a refused row as a gap whose minute another row fills", async () => {
    const file = await fileOf("a.csv", csv(...rowsBetween(0, 5), `${minuteMs(2)},1,0.5,1,1,5`));
    expect(await importJson(file)).toMatchObject({ stored: 5, rejected: 1, gaps: 0, missing_candles: 0 });
    expect(await gapsOf()).toEqual([]);
    const log = await database.sql(
      "SELECT 1 FROM gap_log g JOIN markets m ON m.id = g.market_id WHERE 'binance:' || m.symbol = $1",
      [market],
    );
    expect(log).toEqual([]);
  });

  it("keeps what the exchange has sent where a file says otherwise", async () => {
    const store = await database.openStore();
    const [stored] = await store.putMarkets("binance", [{ ...BTC_USDT, symbol: market.slice(8) }], {
      isSimulated: false,
    });
    const file = await fileOf("a.csv", csv(...rowsBetween(0, 5)));
    await importOf(file);
    await database.sql(
      "UPDATE ohlcv SET source = 'rest', close = 1.25 WHERE market_id = $1 AND open_time = $2",
      [stored?.id, iso(minuteMs(3))],
    );
    const { status, stdout, stderr } = await importOf(file, "--json");
    expect(status).toBe(3);
    expect(JSON.parse(stdout)).toMatchObject({ unchanged: 4, contradicting: 1, gaps: 0 });
    expect(stderr).toContain("1 rows contradict what the exchange itself has sent");
  });

  it("reads freqtrade's JSON, plain and packed, told by its name or its first character", async () => {
    const json = `[${Array.from({ length: 5 }, (_, i) => `[${minuteMs(i)},1.0,2.0,1.0,1.5,1.912e-05]`).join(",")}]`;
    expect(await importJson(await fileOf("a.json", json))).toMatchObject({ stored: 5, rejected: 0 });
    expect(await importJson(await fileOf("b.json.gz", gzipSync(json)))).toMatchObject({
      stored: 0,
      unchanged: 5,
    });
    expect(await importJson(await fileOf("c.dat", json))).toMatchObject({ unchanged: 5 });
    const volumes = await database.sql(
      "SELECT DISTINCT o.volume FROM ohlcv o JOIN markets m ON m.id = o.market_id WHERE 'binance:' || m.symbol = $1",
      [market],
    );
    expect(volumes).toEqual([{ volume: "0.00001912" }]);
  });

  it("names line and row of a refused candle where all stand on one line", async () => {
    const file = await fileOf("a.json", `[[${minuteMs(0)},1,2,1,1.5,5],[${minuteMs(1)},1,0.5,1,1,5]]`);
    const { stderr } = await importOf(file);
    expect(stderr).toContain(`${file}:1: row 2: high 0.5 < low 1`);
  });

  it("reads times as the candles' ends when told so", async () => {
    const file = await fileOf("a.csv", csv(...rowsBetween(1, 3)));
    expect(await importJson(file, "--time-is", "close")).toMatchObject({
      first: iso(minuteMs(0)),
      last: iso(minuteMs(1)),
    });
  });

  it("enters a market that the store does not know, and finds a known one by any of its names", async () => {
    const file = await fileOf("a.csv", csv(row(0)));
    market = "binance:NEW/USDT:USDT";
    const { status, stderr } = await importOf(file);
    expect({ status, isSaid: stderr.includes("binance:NEW/USDT:USDT is new to the store") }).toEqual({
      status: 0,
      isSaid: true,
    });
    const entered = await database.sql(
      "SELECT native_symbol, base_asset, quote_asset, market_type FROM markets WHERE symbol = 'NEW/USDT:USDT'",
    );
    expect(entered).toEqual([
      { native_symbol: "NEWUSDT", base_asset: "NEW", quote_asset: "USDT", market_type: "swap" },
    ]);
    market = "binance:NEWUSDT";
    expect(await importJson(file)).toMatchObject({ market: "binance:NEW/USDT:USDT", unchanged: 1 });
  });

  it.each([
    ["an unknown timeframe", ["--timeframe", "7m"], 'timeframe: found "7m", did you mean'],
    ["a malformed market", ["--market", "BTCUSDT"], 'market: found "BTCUSDT", expected <exchange>:<symbol>'],
    [
      "an unknown exchange",
      ["--market", "binanc:BTC/USDT"],
      'unknown exchange "binanc", did you mean binance?',
    ],
    ["text as an archive", ["--format", "binance-zip"], "is no complete ZIP archive"],
    ["an unknown format", ["--format", "cvs"], 'found "cvs", did you mean csv?'],
    ["a wrong --time-is", ["--time-is", "middle"], "expected open (the candle's start) or close"],
  ])("refuses %s", async (_what, more, message) => {
    const { status, stderr } = await importOf(await fileOf("a.csv", csv(row(0))), ...more);
    expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining(message) as string });
  });

  it("refuses a file of a shorter timeframe, whose every sixtieth row would pass for an hour", async () => {
    const file = await fileOf("minutes.csv", csv(...rowsBetween(0, 120)));
    const { status, stderr } = await run("import", file, "--market", market, "--timeframe", "1h");
    expect(status).toBe(2);
    expect(stderr).toContain("candles of a shorter timeframe");
    expect(await database.sql("SELECT 1 FROM ohlcv WHERE timeframe = '1h'")).toEqual([]);
  });

  it.each<[string, string | Buffer, string]>([
    ["an empty file", "", "is empty, expected candles"],
    ["a header alone", `${HEADER}\n`, "holds no rows"],
    ["words", "Dear customer\nyour report is ready\n", 'found "Dear customer", expected CSV'],
    [
      "a file of something else",
      "time,price,amount\n1704067200,1,2\n",
      "no column for open, high, low, close, volume",
    ],
    ["rows that are no candles", "a,b,c,d,e,f\ng,h,i,j,k,l\n", "no column for time"],
    [
      "times off the grid",
      csv(`${minuteMs(0) + 1},1,2,1,1.5,5`),
      "none of its first 1 rows is a closed 1m candle",
    ],
    ["binary", Buffer.from([0, 1, 2, 3, 0]), "is binary or UTF-16"],
    ["a ZIP archive", Buffer.from("PK\u0003\u0004 and so on"), "is a ZIP archive; if it is one of Binance's"],
    [
      "damaged gzip",
      gzipSync(csv(...rowsBetween(0, 100))).subarray(0, 30),
      "the gzip data is cut off or damaged",
    ],
  ])("refuses %s with one sentence and stores nothing", async (_what, content, message) => {
    const file = await fileOf("a.csv", content);
    const { status, stdout, stderr } = await importOf(file);
    expect({ status, stdout, stderr }).toEqual({
      status: 2,
      stdout: "",
      stderr: expect.stringContaining(message) as string,
    });
    expect(stderr).toContain(file);
    expect(await database.sql("SELECT 1 FROM markets WHERE 'binance:' || symbol = $1", [market])).toEqual([]);
  });

  it("refuses a directory and a file that is not there", async () => {
    expect(await importOf(folder)).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("is a directory") as string,
    });
    expect(await importOf(join(folder, "none.csv"))).toMatchObject({
      status: 2,
      stderr: expect.stringContaining("there is no such file") as string,
    });
  });

  it("stores what stood before the end of a packed file that was cut off, and fails", async () => {
    const packed = gzipSync(
      csv(...rowsBetween(0, 60_000).map((text, i) => `${text}${(i * 7_919) % 100_003}`)),
    );
    const file = await fileOf("a.csv.gz", packed.subarray(0, packed.length - 1_000));
    const { status, stdout, stderr } = await importOf(file, "--json");
    expect(status).toBe(1);
    expect(stderr).toContain("the gzip data is cut off or damaged");
    const result = JSON.parse(stdout) as { stored: number; complete: boolean };
    expect(result.complete).toBe(false);
    expect(result.stored).toBeGreaterThan(50_000);
    const counted = await database.sql(
      "SELECT count(*)::int AS rows FROM ohlcv o JOIN markets m ON m.id = o.market_id WHERE 'binance:' || m.symbol = $1",
      [market],
    );
    expect(counted).toEqual([{ rows: result.stored }]);
  });

  it("stores what it has read when interrupted, says so, and goes on the next time", async () => {
    const file = await fileOf("a.csv", csv(...rowsBetween(0, 12_000)));
    const stopped = AbortSignal.abort(new Error("stopped by the user"));
    const argv = [
      "import",
      file,
      "--market",
      market,
      "--timeframe",
      "1m",
      "--json",
      "-c",
      join(folder, "configs"),
    ];
    const { status, stdout, stderr } = await runCommand(argv, { signal: stopped });
    expect(status).toBe(1);
    expect(stderr).toContain("Interrupted: the 5,000 rows read so far are stored.");
    expect(JSON.parse(stdout)).toMatchObject({ rows: 5_000, stored: 5_000, complete: false });
    expect(await importJson(file)).toMatchObject({
      rows: 12_000,
      stored: 7_000,
      unchanged: 5_000,
      gaps: 0,
      complete: true,
    });
  });
});

describe("export", () => {
  const SOURCE = [
    "open_time,open,high,low,close,volume,quote_volume,trade_count",
    `${minuteMs(0)},46319.10,46385.123456789,0.00000001,46377,2300413.7295,12345678901234567890.123,42`,
    `${minuteMs(1)},1,2,1,1.5,0,,`,
    `${minuteMs(4)},1,2,1,1.5,5,1.912e-05,0`,
  ].join("\n");

  const exportOf = (...more: readonly string[]): Promise<CommandResult> =>
    run("export", market, "1m", ...more);

  it("writes CSV to stdout and says on stderr what is not in it", async () => {
    await importOf(await fileOf("a.csv", SOURCE));
    const { status, stdout, stderr } = await exportOf();
    expect(status).toBe(0);
    expect(stdout.split("\n")).toEqual([
      "open_time,open,high,low,close,volume,quote_volume,trade_count,source,revision",
      "2024-01-01T00:00:00Z,46319.1,46385.123456789,0.00000001,46377,2300413.7295,12345678901234567890.123,42,import,0",
      "2024-01-01T00:01:00Z,1,2,1,1.5,0,,,import,0",
      "2024-01-01T00:04:00Z,1,2,1,1.5,5,0.00001912,0,import,0",
      "",
    ]);
    expect(stderr).toContain("3 of 5 candles, 60.00 % covered. Not in it: 2 candles in 1 gap; no voids.");
  });

  it("writes NDJSON with decimals as text, of the range that was asked for", async () => {
    await importOf(await fileOf("a.csv", SOURCE));
    const { stdout, stderr } = await exportOf(
      "--format",
      "ndjson",
      "--since",
      iso(minuteMs(1)),
      "--until",
      iso(minuteMs(9)),
    );
    expect(
      stdout
        .trim()
        .split("\n")
        .map((line) => JSON.parse(line) as unknown),
    ).toEqual([
      {
        open_time: iso(minuteMs(1)),
        open: "1",
        high: "2",
        low: "1",
        close: "1.5",
        volume: "0",
        quote_volume: null,
        trade_count: null,
        source: "import",
        revision: 0,
      },
      {
        open_time: iso(minuteMs(4)),
        open: "1",
        high: "2",
        low: "1",
        close: "1.5",
        volume: "5",
        quote_volume: "0.00001912",
        trade_count: 0,
        source: "import",
        revision: 0,
      },
    ]);
    expect(stderr).toContain("2 candles in 1 gap; no voids; 4 candles outside what was ever collected.");
  });

  it("gives the same bytes again after a way through another store", async () => {
    const rows = Array.from(
      { length: 6_000 },
      (_, i) => `${minuteMs(i)},1.${i + 1},2.${i + 1},0.${i + 1},1.${i + 1},${i}.00000001,${i}e-9,${i}`,
    );
    const kept = rows.filter((_, i) => i % 997 !== 5);
    await importOf(
      await fileOf("a.csv", ["open_time,open,high,low,close,volume,quote_volume,trades", ...kept].join("\n")),
    );
    const first = join(folder, "first.csv");
    const second = join(folder, "second.csv.gz");
    expect((await exportOf("--out", first)).status).toBe(0);
    await useDatabase(other);
    expect(await importJson(first)).toMatchObject({ rows: kept.length, stored: kept.length, rejected: 0 });
    expect((await exportOf("--out", second)).status).toBe(0);
    expect(gunzipSync(await readFile(second)).toString()).toBe(await readFile(first, "utf8"));
    expect((await readdir(folder)).filter((name) => name.endsWith(".partial"))).toEqual([]);
  });

  it("tells format and packing by the file's name, and sums up as JSON", async () => {
    await importOf(await fileOf("a.csv", SOURCE));
    const out = join(folder, "out.ndjson.gz");
    const { stdout } = await exportOf("--out", out, "--json");
    const lines = gunzipSync(await readFile(out))
      .toString()
      .trim()
      .split("\n");
    expect(lines).toHaveLength(3);
    expect(JSON.parse(stdout)).toEqual({
      file: out,
      format: "ndjson",
      market,
      timeframe: "1m",
      since: iso(minuteMs(0)),
      until: iso(minuteMs(5)),
      candles: 3,
      gaps: 1,
      missing_candles: 2,
      voids: 0,
      void_candles: 0,
      not_collected_candles: 0,
      coverage_percent: 60,
      bytes: (await readFile(out)).length,
    });
  });

  it("leaves the file that stood there when it is interrupted", async () => {
    await importOf(await fileOf("a.csv", SOURCE));
    const out = await fileOf("out.csv", "what stood there");
    const argv = ["export", market, "1m", "--out", out, "-c", join(folder, "configs")];
    const { status, stderr } = await runCommand(argv, {
      signal: AbortSignal.abort(new Error("stopped by the user")),
    });
    expect({ status, stderr }).toEqual({
      status: 1,
      stderr: expect.stringContaining("was not written") as string,
    });
    expect(await readFile(out, "utf8")).toBe("what stood there");
    expect(existsSync(`${out}.partial`)).toBe(false);
  });

  it("replaces what a link points to and not the link", async () => {
    await importOf(await fileOf("a.csv", SOURCE));
    const real = await fileOf("real.csv", "old");
    const link = join(folder, "link.csv");
    await symlink(real, link);
    await exportOf("--out", link);
    expect(await readFile(real, "utf8")).toContain("46319.1");
  });

  it.each([
    ["a folder that is not there", "none/x.csv", "its folder does not exist"],
    ["a directory", "configs", "is a directory"],
    ["a device", "/dev/null", "is no regular file"],
  ])("refuses %s as its file", async (_what, path, message) => {
    await importOf(await fileOf("a.csv", SOURCE));
    const { status, stderr } = await exportOf("--out", path.startsWith("/") ? path : join(folder, path));
    expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining(message) as string });
  });

  it.each([
    [
      "parquet",
      ["1m", "--format", "parquet"],
      "parquet cannot be written yet; this version writes csv and ndjson",
    ],
    ["a name that asks for parquet", ["1m", "--out", "x.parquet"], "parquet cannot be written yet"],
    ["an unknown format", ["1m", "--format", "njson"], "did you mean ndjson?"],
    ["trades that are not stored", ["trades"], "nothing is stored of the trades of binance:"],
    ["a series that is not stored", ["5m"], "nothing is stored of binance:"],
    [
      "a range without a candle",
      ["1m", "--since", "2024-01-02", "--until", "2024-01-01"],
      "no 1m candle opens between",
    ],
    ["CSV where JSON was promised", ["1m", "--json", "--format", "csv"], "--json promises JSON on stdout"],
  ])("refuses %s", async (_what, more, message) => {
    await importOf(await fileOf("a.csv", SOURCE));
    const { status, stderr } = await run("export", market, ...more);
    expect({ status, stderr }).toEqual({ status: 2, stderr: expect.stringContaining(message) as string });
  });
});

describe.skipIf(!existsSync(REAL_FILE))("a real month of candles", () => {
  it("comes back digit for digit, with exactly the file's own holes and those cut into it", async () => {
    const [header = "", ...lines] = gunzipSync(await readFile(REAL_FILE))
      .toString()
      .trim()
      .split("\n");
    const kept = lines.filter((_, i) => !(i % 4_999 === 7 || (i >= 20_000 && i < 20_090) || i === 30_100));
    const result = await importJson(
      await fileOf("real.csv.gz", gzipSync([header, ...kept].join("\n"))),
      "--time-is",
      "close",
    );
    expect(result).toMatchObject({ rows: kept.length, stored: kept.length, rejected: 0 });

    // The holes by the file alone: wherever a time is more than a minute after the one before.
    const endsMs = kept.map((line) => Date.parse(`${line.slice(0, 23).replace(" ", "T")}Z`));
    const holes = endsMs.flatMap((endMs, i) => {
      const next = endsMs[i + 1];
      return next !== undefined && next - endMs > MINUTE_MS
        ? [{ start: iso(endMs), end: iso(next - MINUTE_MS) }]
        : [];
    });
    expect(holes.length).toBeGreaterThanOrEqual(11);
    const gaps = await gapsOf();
    expect(gaps.map(({ start, end }) => ({ start, end }))).toEqual(holes);
    expect(result).toMatchObject({ gaps: holes.length });

    const { stdout } = await run("export", market, "1m");
    const exported = stdout
      .trim()
      .split("\n")
      .slice(1)
      .map((line) => line.split(",").slice(0, 6));
    const expected = kept.map((line, i) => {
      const [, ...numbers] = line.split(",");
      return [
        iso((endsMs[i] ?? 0) - MINUTE_MS),
        ...numbers.map((text) => text.replace(/\.0+$|(\.\d*[1-9])0+$/, "$1")),
      ];
    });
    expect(exported).toEqual(expected);
  });
});
