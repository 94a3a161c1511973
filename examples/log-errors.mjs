// Keeps every failed request of an exchange that answers with errors, and sums them up.
// node examples/log-errors.mjs
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  ApiErrorLogger,
  createExchange,
  openStore,
  silentLog,
  startSimulatedExchange,
  systemClock,
} from "tickwell";

const never = new AbortController().signal;
const dataDir = await mkdtemp(join(tmpdir(), "tickwell-example-"));
const faults = { faults: [{ kind: "http_5xx", count: 5 }] };
const simulator = await startSimulatedExchange({ seed: 7, clock: systemClock, faults });
const store = await openStore("embedded", { dataDir });
const logger = new ApiErrorLogger({ store, clock: systemClock, log: silentLog });
const exchange = createExchange("binance", {
  restUrl: simulator.url,
  bans: store.bans,
  retry: { attempts: 3, baseDelayMs: 20, maxDelayMs: 100 },
  onFailure: (failure) => logger.log(failure),
});

for (let i = 0; i < 2; i++) {
  await exchange.fetchServerTime(never).then(
    (timeMs) => console.log(`the exchange says ${new Date(timeMs).toISOString()}`),
    (error) => console.log(`given up: ${error.message}`),
  );
}
await logger.flush(never);
for (const { exchange: name, endpoint, kind, count, lastMessage } of await store.errors.summarize({
  sinceMs: 0,
})) {
  console.log(`${name} ${endpoint} ${kind}: ${count} times, last: ${lastMessage}`);
}

await logger.close();
await exchange.close();
await store.close();
await simulator.close();
await rm(dataDir, { recursive: true });
