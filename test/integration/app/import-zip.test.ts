// `import` of Binance's ZIP files, against a database of their own.
import { createHash } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { zipSync } from "fflate";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { minuteMs } from "../../support/candles.js";
import { createTestDatabase, type TestDatabase } from "../../support/database.js";
import { runCommand, type CommandResult } from "../../support/run-command.js";

const HEADER =
  "open_time,open,high,low,close,volume,close_time,quote_volume,count,taker_buy_volume,taker_buy_quote_volume,ignore";
const NAME = "BTCUSDT-1m-2024-01-01";

let database: TestDatabase;
let folder: string;
let marketNumber = 0;
let market: string;

beforeAll(async () => {
  database = await createTestDatabase();
});
afterAll(() => database.drop());
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tickwell-zip-"));
  market = `binance:Z${++marketNumber}/USDT`;
  await mkdir(join(folder, "configs"), { recursive: true });
  await writeFile(join(folder, "configs", "tickwell.yml"), `storage: {url: '${database.url}'}\n`);
});
afterEach(() => rm(folder, { recursive: true, force: true }));

const row = (minute: number, factor = 1): string =>
  `${minuteMs(minute) * factor},42283.58000000,42298.62000000,42261.02000000,42298.61000000,35.92724000,${minuteMs(minute + 1) * factor - 1},1519032.89766750,${1_000 + minute},23.18766000,980394.45872200,0`;
const rows = (from: number, to: number, factor = 1): string[] =>
  Array.from({ length: to - from }, (_, i) => row(from + i, factor));

function zipOf(lines: readonly string[], name = `${NAME}.csv`): Buffer {
  return Buffer.from(zipSync({ [name]: Buffer.from(`${lines.join("\n")}\n`) }));
}

async function fileOf(content: Buffer | string, name = `${NAME}.zip`): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, content);
  return path;
}

const sumOf = (bytes: Buffer): string => createHash("sha256").update(bytes).digest("hex");

const importOf = (file: string, ...more: readonly string[]): Promise<CommandResult> =>
  runCommand([
    "import",
    file,
    "--market",
    market,
    "--timeframe",
    "1m",
    "-c",
    join(folder, "configs"),
    ...more,
  ]);

const stored = () =>
  database.sql(
    `SELECT extract(epoch FROM o.open_time)::bigint * 1000 AS ms, open, high, low, close, volume, quote_volume, trade_count, source
     FROM ohlcv o JOIN markets m ON m.id = o.market_id WHERE 'binance:' || m.symbol = $1 ORDER BY open_time`,
    [market],
  );

describe("import of a Binance ZIP", () => {
  it.each([
    ["milliseconds and no header", rows(0, 3)],
    ["microseconds", rows(0, 3, 1_000).map((line) => line.replace(/(?<=,\d{13})999(?=,)/, "999999"))],
    ["a header", [HEADER, ...rows(0, 3)]],
  ])("stores every field of a file with %s, as evidence of a file", async (_what, lines) => {
    const archive = zipOf(lines);
    const file = await fileOf(archive);
    await fileOf(`${sumOf(archive)}  ${NAME}.zip\n`, `${NAME}.zip.CHECKSUM`);
    const { status, stdout } = await importOf(file);
    expect(stdout).toContain(
      "3 rows from 2024-01-01 00:00 to 2024-01-01 00:02 UTC: 3 new, 0 stored before, 0 refused.",
    );
    expect(status).toBe(0);
    expect(await stored()).toEqual(
      [0, 1, 2].map((minute) => ({
        ms: String(minuteMs(minute)),
        open: "42283.58",
        high: "42298.62",
        low: "42261.02",
        close: "42298.61",
        volume: "35.92724",
        quote_volume: "1519032.8976675",
        trade_count: String(1_000 + minute),
        source: "import",
      })),
    );
    const evidence = await database.sql(
      "SELECT c.evidence, c.records FROM coverage c JOIN markets m ON m.id = c.market_id WHERE 'binance:' || m.symbol = $1",
      [market],
    );
    expect(evidence).toEqual([{ evidence: "import", records: "3" }]);
  });

  it("refuses a file that is not the one its checksum belongs to, and stores nothing", async () => {
    const file = await fileOf(zipOf(rows(0, 3)));
    const other = sumOf(zipOf(rows(0, 4)));
    await fileOf(`${other}  ${NAME}.zip\n`, `${NAME}.zip.CHECKSUM`);
    const { status, stderr } = await importOf(file);
    expect(status).toBe(2);
    expect(stderr).toContain(`CHECKSUM says ${other}: the file is damaged or was replaced`);
    expect(await stored()).toEqual([]);
  });

  it("refuses a checksum file that holds none", async () => {
    const file = await fileOf(zipOf(rows(0, 3)));
    await fileOf("<html>404</html>", `${NAME}.zip.CHECKSUM`);
    const { status, stderr } = await importOf(file);
    expect(status).toBe(2);
    expect(stderr).toContain('found "<html>404</html>", expected a sha256 and a file name');
  });

  it("stores nothing of a damaged file that has no checksum, however late the damage", async () => {
    const archive = zipOf(rows(0, 12_000));
    const directory = archive.lastIndexOf(Buffer.from("PK\u0001\u0002"));
    archive.writeUInt32LE((archive.readUInt32LE(directory + 16) ^ 1) >>> 0, directory + 16);
    const { status, stderr } = await importOf(await fileOf(archive));
    expect(status).toBe(2);
    expect(stderr).toContain("does not have its own length and CRC; get it again");
    expect(await stored()).toEqual([]);
  });

  it("reads a ZIP of another name when told its format, and says so when not", async () => {
    const file = await fileOf(zipOf(rows(0, 3)), "candles.dat");
    const { status, stderr } = await importOf(file);
    expect(status).toBe(2);
    expect(stderr).toContain(
      "is a ZIP archive; if it is one of Binance's, name it .zip or add --format binance-zip",
    );
    expect((await importOf(file, "--format", "binance-zip")).status).toBe(0);
    expect(await stored()).toHaveLength(3);
  });

  it.each<[string, () => Buffer | string, string]>([
    ["text", () => row(0), "is no complete ZIP archive"],
    [
      "an archive of something else",
      () => zipOf(["hello"], "readme.txt"),
      'holds "readme.txt", expected a .csv',
    ],
    ["an empty CSV", () => zipOf([""]), "its CSV is empty, expected candles"],
    [
      "two files",
      () => Buffer.from(zipSync({ "a.csv": Buffer.from("1"), "b.csv": Buffer.from("2") })),
      "holds 2 files",
    ],
  ])("refuses %s", async (_what, make, words) => {
    const { status, stderr } = await importOf(await fileOf(make()));
    expect(status).toBe(2);
    expect(stderr).toContain(words);
  });

  it("says that a file is not there", async () => {
    const { status, stderr } = await importOf(join(folder, "none.zip"));
    expect(status).toBe(2);
    expect(stderr).toContain("there is no such file");
  });
});
