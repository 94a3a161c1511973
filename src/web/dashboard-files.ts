// The dashboard's files, read once and served by their exact names: no path of a request ever reaches the file system.
import { createHash } from "node:crypto";
import { readdir, readFile } from "node:fs/promises";
import { extname, join, relative, sep } from "node:path";

export interface DashboardFile {
  readonly body: Buffer;
  readonly contentType: string;
  readonly etag: string;
  /** Its name holds a digest of its content: it never changes. */
  readonly isImmutable: boolean;
}

export type DashboardFiles = ReadonlyMap<string, DashboardFile>;

const CONTENT_TYPES: Readonly<Record<string, string>> = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript; charset=utf-8",
  ".css": "text/css; charset=utf-8",
  ".json": "application/json; charset=utf-8",
  ".map": "application/json; charset=utf-8",
  ".svg": "image/svg+xml",
  ".png": "image/png",
  ".ico": "image/x-icon",
  ".webmanifest": "application/manifest+json",
  ".woff2": "font/woff2",
  ".txt": "text/plain; charset=utf-8",
};
/** As bundlers name what is in `assets/`: `index-BvK2a9xQ.js`. */
const DIGEST_NAME = /^\/assets\/.*-[\w-]{8,}\.\w+$/;

/** By path, as in `/index.html`; empty where nothing has been built. */
export async function readDashboardFiles(folder: string): Promise<DashboardFiles> {
  const files = new Map<string, DashboardFile>();
  let entries;
  try {
    entries = await readdir(folder, { recursive: true, withFileTypes: true });
  } catch {
    return files;
  }
  for (const entry of entries) {
    const contentType = CONTENT_TYPES[extname(entry.name)];
    if (!entry.isFile() || contentType === undefined) continue;
    const file = join(entry.parentPath, entry.name);
    const path = `/${relative(folder, file).split(sep).join("/")}`;
    const body = await readFile(file);
    const digest = createHash("sha256").update(body).digest("base64url").slice(0, 22);
    files.set(path, { body, contentType, etag: `"${digest}"`, isImmutable: DIGEST_NAME.test(path) });
  }
  return files;
}

/** What `/` says where the dashboard has not been built. */
export const NO_DASHBOARD = `tickwell is running. The dashboard is not part of this build.

  /api/v1/status        how it stands
  /api/v1/markets       what there is
  /api/v1/openapi.json  everything that can be asked
  /healthz, /readyz     for supervisors

From a checkout, \`npm run build\` makes the dashboard too.
`;
