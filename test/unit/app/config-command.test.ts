// `tickwell config check | show | schema`, run as the program runs them, output caught.
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { Command } from "commander";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { parse } from "yaml";
import { addConfigCommand, formatSchema } from "../../../src/app/commands/config.js";
import { loadConfig } from "../../../src/app/config-file.js";
import { silentLog } from "../../../src/core/log.js";

const COLLECTOR =
  "exchange: binance\nsymbols:\n  - symbol: BTC/USDT\n    timeframes: [1m, 1h]\nmode: {history: {since: 2024-01-01}}\n";
const INSTANCE =
  "storage: {url: 'postgres://me:hush@db/x'}\nstage: {kind: redis, url: 'rediss://:hush@h:1'}\napi: {token: hush567890123456}\nalerts: {webhook_url: 'https://hooks.example/hush'}\n";

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tickwell-config-"));
});
afterEach(async () => {
  vi.unstubAllEnvs();
  await rm(folder, { recursive: true, force: true });
});

async function write(files: Record<string, string>): Promise<void> {
  for (const [name, content] of Object.entries(files)) {
    await mkdir(dirname(join(folder, name)), { recursive: true });
    await writeFile(join(folder, name), content);
  }
}

async function run(...args: readonly string[]): Promise<{ stdout: string; error: unknown }> {
  let stdout = "";
  const program = new Command("tickwell").exitOverride();
  program.option("-c, --config <path...>").option("--json");
  addConfigCommand(program, {
    stdout: (text) => {
      stdout += text;
    },
    stderr: () => undefined,
    signal: new AbortController().signal,
    log: silentLog,
    setExitStatus: () => undefined,
  });
  try {
    await program.parseAsync(["config", ...args, ...(args[0] === "schema" ? [] : ["-c", folder])], {
      from: "user",
    });
    return { stdout, error: undefined };
  } catch (error) {
    return { stdout, error };
  }
}

describe("config check", () => {
  it("prints each file and what they come to", async () => {
    await write({ "tickwell.yml": "", "collector/btc.yml": COLLECTOR, "stray.yml": "" });
    const { stdout, error } = await run("check");
    expect(error).toBeUndefined();
    expect(stdout.replaceAll(`${folder}/`, "").split("\n")).toEqual([
      "tickwell.yml: ok",
      "collector/btc.yml: ok",
      "stray.yml: not read, it is neither tickwell.yml nor in collector/",
      "",
      "storage embedded, stage memory",
      "btc: history since 2024-01-01T00:00:00Z, then live",
      "  binance:BTC/USDT  candles 1m 1h",
      "",
    ]);
  });

  it("says which file is wrong and fails with all mistakes", async () => {
    await write({ "collector/btc.yml": COLLECTOR, "collector/eth.yml": "exchange: binance\nfoo: 1\n" });
    const { stdout, error } = await run("check");
    expect(stdout).toContain("btc.yml: ok\n");
    expect(stdout).toContain("eth.yml: 2 mistakes\n");
    expect(error).toMatchObject({
      fault: { kind: "config" },
      message: expect.stringContaining("foo: unknown key") as string,
    });
  });

  it("prints one JSON document with --json, right or wrong", async () => {
    await write({ "collector/btc.yml": COLLECTOR });
    expect(JSON.parse((await run("check", "--json")).stdout)).toMatchObject({
      ok: true,
      faults: [],
      plan: {
        collectors: [{ name: "btc", markets: [{ market: "binance:BTC/USDT", timeframes: ["1m", "1h"] }] }],
      },
    });
    await write({ "collector/btc.yml": "exchange: binance\nsymbols: 5\n" });
    const { stdout, error } = await run("check", "--json");
    expect(JSON.parse(stdout)).toMatchObject({
      ok: false,
      faults: [{ line: 2, column: 10, key: "symbols" }],
    });
    expect(error).toBeDefined();
  });

  it("reads the process's environment", async () => {
    vi.stubEnv("TICKWELL_TEST_HOST", "db.example");
    await write({ "tickwell.yml": "storage:\n  url: postgres://${TICKWELL_TEST_HOST}/candles\n" });
    expect((await run("check")).stdout).toContain("postgres://db.example/candles");
  });
});

describe("config show", () => {
  it("prints YAML that loads as the same config", async () => {
    await write({ "collector/btc.yml": COLLECTOR });
    const shown = parse((await run("show")).stdout) as { instance: unknown; collectors: unknown[] };
    await write({
      "again/tickwell.yml": JSON.stringify(shown.instance),
      "again/collector/other.yml": JSON.stringify(shown.collectors[0]),
    });
    const [first, again] = [
      await loadConfig(folder, { env: {} }),
      await loadConfig(join(folder, "again"), { env: {} }),
    ];
    expect(again.instance).toEqual(first.instance);
    expect(again.collectors).toEqual(first.collectors);
  });

  it.each([[[]], [["--json"]]])("masks every secret, options %j", async (options) => {
    await write({ "tickwell.yml": INSTANCE });
    const { stdout, error } = await run("show", ...options);
    expect(error).toBeUndefined();
    expect(stdout).not.toContain("hush");
    expect(parse(stdout)).toMatchObject({
      instance: {
        storage: { url: "postgres://me:***@db/x" },
        stage: { url: "rediss://:***@h:1" },
        api: { token: "***" },
        alerts: { webhook_url: "***" },
      },
    });
  });

  it("masks passwords in whatever place of a URL they are", async () => {
    for (const url of [
      "postgres://u:hu@sh@h/d",
      "postgres://u:a hush@h/d",
      "postgres://h/d?user=u&password=hush&x=1",
    ]) {
      await write({ "tickwell.yml": `storage: {url: '${url}'}\n` });
      const { stdout } = await run("show");
      expect(stdout).toContain("***");
      expect(stdout).not.toMatch(/hu@?sh/);
    }
  });
});

describe("config schema", () => {
  it.each([
    ["instance", "configs/tickwell.schema.json"],
    ["collector", "configs/collector.schema.json"],
  ] as const)("prints for the %s what is shipped as %s", async (kind, file) => {
    const { stdout } = await run("schema", kind);
    expect(stdout).toBe(formatSchema(kind));
    expect(
      await readFile(file, "utf8"),
      `${file} is out of date: print it anew with tickwell config schema ${kind}`,
    ).toBe(stdout);
  });

  it("prints the collector's when not told which", async () => {
    expect((await run("schema")).stdout).toBe(formatSchema("collector"));
  });

  it("refuses a kind it does not know", async () => {
    expect((await run("schema", "exchange")).error).toMatchObject({
      message: expect.stringContaining("expected instance") as string,
    });
  });

  it("describes every key, lets ${VAR} stand for any value, and knows no other keys", () => {
    const undescribed: string[] = [];
    const visit = (schema: Record<string, unknown>, path: string): void => {
      for (const branch of [schema, ...((schema["anyOf"] ?? []) as Record<string, unknown>[])]) {
        const properties = branch["properties"] as Record<string, Record<string, unknown>> | undefined;
        if (properties) expect(branch["additionalProperties"], path).toBe(false);
        for (const [key, property] of Object.entries(properties ?? {})) {
          if (property["description"] === undefined) undescribed.push(`${path}.${key}`);
          visit(property, `${path}.${key}`);
        }
      }
    };
    const collector = JSON.parse(formatSchema("collector")) as Record<string, unknown>;
    const instance = JSON.parse(formatSchema("instance")) as Record<string, unknown>;
    visit(collector, "collector");
    visit(instance, "instance");
    expect(undescribed).toEqual([]);
    expect(instance).toMatchObject({
      properties: {
        api: {
          properties: {
            port: { default: 7377, anyOf: [{ type: "integer" }, { pattern: "\\$\\{" }, { type: "null" }] },
          },
        },
      },
    });
  });
});
