// The version of this package, read from its package.json.
import { readFileSync } from "node:fs";

const packageFile = new URL(
  import.meta.url.includes("/dist/src/") ? "../../../package.json" : "../../package.json",
  import.meta.url,
);

/** `0.1.0` */
export const VERSION: string = (JSON.parse(readFileSync(packageFile, "utf8")) as { version: string }).version;
