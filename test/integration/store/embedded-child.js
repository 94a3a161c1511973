// A process that opens the embedded PostgreSQL, for tests that kill it. Arguments: compiled src folder, data dir, role.
// Prints one JSON line when it is open or refused; closes on a line on stdin; does not mind Ctrl-C.
import { pathToFileURL } from "node:url";

const [, , compiled, dataDir, role] = process.argv;
const load = (path) => import(new URL(path, pathToFileURL(`${compiled}/`)).href);
const say = (event) => process.stdout.write(`${JSON.stringify(event)}\n`);

process.on("SIGINT", () => say({ event: "interrupted" }));
const { openEmbeddedPostgres } = await load("store/embedded/embedded-postgres.js");
const { systemClock } = await load("core/clock.js");
const { createLog } = await load("core/log.js");
const log = createLog({ level: "info", isPretty: false, hasColor: false });

try {
  const signal = new globalThis.AbortController().signal;
  const server = await openEmbeddedPostgres({ dataDir, role, clock: systemClock, log, signal });
  say({ event: "open", connectionString: server.connectionString });
  process.stdin.once("data", () => {
    server.close().then(
      () => {
        say({ event: "closed" });
        process.exit(0);
      },
      (error) => {
        say({ event: "failed", message: String(error) });
        process.exit(1);
      },
    );
  });
} catch (error) {
  say({ event: "refused", message: error.message, kind: error.fault?.kind });
  process.exitCode = 1;
}
