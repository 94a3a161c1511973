// Every example runs as its first lines say, from an empty folder, and has something to show.
import { spawn } from "node:child_process";
import { readdirSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { requireBuilt } from "../../support/package-folder.js";

const folder = requireBuilt();
const examples = readdirSync(join(folder, "examples")).filter((file) => file.endsWith(".mjs"));

let workFolder = "";
beforeAll(async () => void (workFolder = await mkdtemp(join(tmpdir(), "tickwell-examples-"))));
afterAll(() => rm(workFolder, { recursive: true, force: true }));

interface Ended {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

function run(file: string): Promise<Ended> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [join(folder, "examples", file)], { cwd: workFolder });
    let [stdout, stderr] = ["", ""];
    child.stdout.setEncoding("utf8").on("data", (text: string) => (stdout += text));
    child.stderr.setEncoding("utf8").on("data", (text: string) => (stderr += text));
    child.on("error", reject);
    child.on("close", (status) => resolve({ status, stdout, stderr }));
  });
}

/** Shows what is stored, and nothing is. */
const SILENT = ["find-gaps.mjs"];

it.each(examples)("%s ends well", async (file) => {
  const { status, stdout, stderr } = await run(file);
  expect({ status, stderr }).toEqual({ status: 0, stderr: "" });
  if (!SILENT.includes(file)) expect(stdout).not.toBe("");
});
