import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Command } from "commander";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { CommandContext } from "../../../src/app/command-context.js";
import { addSimCommand } from "../../../src/app/commands/sim.js";
import { silentLog } from "../../../src/core/log.js";

let folder = "";
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "tickwell-sim-"));
});
afterEach(async () => {
  await rm(folder, { recursive: true });
});

/** Runs `tickwell sim`; `printed` has its first words on stdout. */
function run(...args: string[]) {
  const stop = new AbortController();
  let resolve: (text: string) => void = () => undefined;
  let reject: (error: unknown) => void = () => undefined;
  const printed = new Promise<string>((onPrinted, onFailed) => {
    resolve = onPrinted;
    reject = onFailed;
  });
  printed.catch(() => undefined);
  const context: CommandContext = {
    stdout: (text) => resolve(text),
    stderr: () => undefined,
    signal: stop.signal,
    log: silentLog,
    setExitStatus: () => undefined,
  };
  const program = new Command("tickwell").option("--json").exitOverride();
  addSimCommand(program, context);
  const ended = program.parseAsync(["node", "tickwell", ...args]).then(() => undefined);
  ended.catch(reject);
  return { printed, ended, stop: () => stop.abort() };
}

describe("tickwell sim", () => {
  it("answers until it is stopped, and prints where as one line of JSON", async () => {
    const sim = run("sim", "--port", "0", "--seed", "5", "--json");
    const printed = await sim.printed;
    expect(printed).toMatch(/^[^\n]+\n$/);
    const { url, seed } = JSON.parse(printed) as { url: string; seed: number };
    expect(seed).toBe(5);
    expect((await fetch(`${url}/api/v3/ping`)).status).toBe(200);
    sim.stop();
    await sim.ended;
    await expect(fetch(`${url}/api/v3/ping`)).rejects.toThrow();
  });

  it("prints a curl line that works and the setting for ccxt", async () => {
    const sim = run("sim", "--port", "0");
    const printed = await sim.printed;
    const [, address = ""] = /curl '([^']+klines[^']+)'/.exec(printed) ?? [];
    expect(await (await fetch(address)).json()).toHaveLength(5);
    for (const [, each = ""] of printed.matchAll(/curl '([^']+)'/g)) {
      expect((await fetch(each)).status, each).toBe(200);
    }
    expect(printed).toContain("exchange.urls.api.public");
    sim.stop();
    await sim.ended;
  });

  it("serves the exchanges it is told to, and no other", async () => {
    const sim = run("sim", "--port", "0", "--exchange", "okx, binanceusdm", "--json");
    const { url } = JSON.parse(await sim.printed) as { url: string };
    const told = (await (await fetch(`${url}/sim`)).json()) as { exchanges: object };
    expect(Object.keys(told.exchanges)).toEqual(["binanceusdm", "okx"]);
    expect((await fetch(`${url}/api/v5/public/time`)).status).toBe(200);
    expect((await fetch(`${url}/fapi/v1/time`)).status).toBe(200);
    expect((await fetch(`${url}/api/v3/time`)).status).toBe(404);
    sim.stop();
    await sim.ended;
  });

  it("lets the faults of its plan strike", async () => {
    const file = join(folder, "faults.json");
    await writeFile(file, JSON.stringify({ faults: [{ kind: "http_451" }] }));
    const sim = run("sim", "--port", "0", "--json", "--faults", file);
    const { url } = JSON.parse(await sim.printed) as { url: string };
    expect((await fetch(`${url}/api/v3/ping`)).status).toBe(451);
    sim.stop();
    await sim.ended;
  });

  it("says what to do when its port is taken", async () => {
    const one = run("sim", "--port", "0", "--json");
    const { url } = JSON.parse(await one.printed) as { url: string };
    const { port } = new URL(url);
    await expect(run("sim", "--port", port).ended).rejects.toMatchObject({
      fault: { kind: "config" },
      message: expect.stringMatching(
        `port ${port} on 127.0.0.1 is in use; choose another one with --port`,
      ) as string,
    });
    one.stop();
    await one.ended;
  });

  it("refuses an exchange it does not simulate, a bad plan and a missing one", async () => {
    const complaint = (text: string) => ({
      fault: { kind: "config" },
      message: expect.stringContaining(text) as string,
    });
    await expect(run("sim", "--exchange", "binance,kraken").ended).rejects.toMatchObject(
      complaint('found "kraken"'),
    );
    const file = join(folder, "faults.json");
    await expect(run("sim", "--faults", file).ended).rejects.toMatchObject(complaint("cannot be read"));
    await writeFile(file, '{"faults": [{"kind": "flood"}]}');
    await expect(run("sim", "--faults", file).ended).rejects.toMatchObject(complaint('found "flood"'));
    await writeFile(file, "{");
    await expect(run("sim", "--faults", file).ended).rejects.toMatchObject(complaint(`--faults ${file}`));
  });
});
