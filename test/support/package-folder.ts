// The package as it is installed: bin/, dist/ and what they read. Child processes run this, not the sources.
import { existsSync } from "node:fs";
import { resolve } from "node:path";

/** This checkout, or another folder with a built package: TICKWELL_PACKAGE. */
export const PACKAGE_FOLDER = process.env.TICKWELL_PACKAGE ?? resolve(import.meta.dirname, "../..");

/** @throws when the package is not built: a test that ran something else would prove nothing */
export function requireBuilt(folder = PACKAGE_FOLDER): string {
  const cli = resolve(folder, "dist/src/app/cli.js");
  if (!existsSync(cli)) throw new Error(`${cli} is missing: npm run build first`);
  return folder;
}
