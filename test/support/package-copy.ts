// A copy of the built package with what it depends on, readable by everyone: what an ordinary user has after `npm install`,
// also where this checkout is in a place only root can see.
import { existsSync, readFileSync } from "node:fs";
import { chmod, cp, mkdir, mkdtemp, realpath, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { requireBuilt } from "./package-folder.js";

const PARTS = ["bin", "dist", "database", "package.json"] as const;
const CHECKOUT = resolve(import.meta.dirname, "../..");

interface PackageFile {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
}

/** @returns its folder, and how to remove it */
export async function copyPackage(): Promise<{ folder: string; remove: () => Promise<void> }> {
  const from = requireBuilt();
  const folder = await realpath(await mkdtemp(join(tmpdir(), "tickwell-package-")));
  await chmod(folder, 0o755);
  for (const part of PARTS)
    await cp(join(from, part), join(folder, part), { recursive: true, dereference: true });
  const modules = join(CHECKOUT, "node_modules");
  await mkdir(join(folder, "node_modules"));
  for (const name of installedClosure(modules, readPackage(CHECKOUT))) {
    // Links inside a package (libraries by version) stay links.
    await cp(join(modules, name), join(folder, "node_modules", name), {
      recursive: true,
      verbatimSymlinks: true,
    });
  }
  return { folder, remove: () => rm(folder, { recursive: true, force: true }) };
}

/** Everything that is installed of what a package depends on, and of what that depends on. */
function installedClosure(modules: string, root: PackageFile): ReadonlySet<string> {
  const found = new Set<string>();
  const queue = [...dependenciesOf(root)];
  for (let name = queue.pop(); name !== undefined; name = queue.pop()) {
    if (found.has(name) || !existsSync(join(modules, name))) continue;
    found.add(name);
    queue.push(...dependenciesOf(readPackage(join(modules, name))));
  }
  return found;
}

function dependenciesOf({ dependencies = {}, optionalDependencies = {} }: PackageFile): string[] {
  return [...Object.keys(dependencies), ...Object.keys(optionalDependencies)];
}

function readPackage(folder: string): PackageFile {
  return JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as PackageFile;
}
