// What a stage in Redis costs, by client: batches of trades added by a script, read by a group, acknowledged and deleted, as
// redis-stage.ts does it. Needs redis-server.
// npx tsx bench/stage.ts [--short]
import { Redis } from "ioredis";
import { createClient } from "redis";
import { encodeBatch } from "../src/pipeline/stage/batch-codec.js";
import { NO_TALLY } from "../src/core/model/live-tally.js";
import { parseDecimal } from "../src/core/decimal.js";
import { hasRedis, startRedis } from "../test/support/redis-server.js";
import { IS_SHORT, median, printTable, thousands } from "./support.js";

const ROUNDS = IS_SHORT ? 1 : 5;
const BATCHES = IS_SHORT ? 200 : 2_000;
const ROWS = 100;
/** Appends under way at once: one for each market that has something. */
const AT_ONCE = 50;

if (!hasRedis) {
  console.log("skipped: redis-server is not installed");
  process.exit(0);
}
const price = parseDecimal("46319.5");
const qty = parseDecimal("0.01634");
if (price === undefined || qty === undefined) throw new Error("no decimals");
const text = encodeBatch({
  kind: "trades",
  marketId: 1,
  evidence: "ws_sequence",
  trades: Array.from({ length: ROWS }, (_, i) => ({
    kind: "trade" as const,
    id: 164_325_000 + i,
    firstFillId: 300_000_000 + i,
    lastFillId: 300_000_000 + i,
    timeMs: 1_700_000_000_000 + i,
    microsecond: 0,
    price,
    qty,
    side: "buy" as const,
  })),
  runs: [],
  voids: [],
  missing: [],
  rejected: [],
  tally: NO_TALLY,
  receivedMs: 0,
});

/** One way to talk to Redis. */
interface Contestant {
  readonly name: string;
  readonly call: (args: readonly string[]) => Promise<unknown>;
  readonly close: () => void;
}

const server = await startRedis();
try {
  const nodeRedis = createClient({ url: server.url, RESP: 2 });
  await nodeRedis.connect();
  const ioredis = new Redis(server.url, { protocol: 2 });
  const contestants: Contestant[] = [
    {
      name: "ioredis",
      call: ([command = "", ...args]) => ioredis.call(command, ...args),
      close: () => ioredis.disconnect(),
    },
    {
      name: "redis (node-redis)",
      call: (args) => nodeRedis.sendCommand([...args]),
      close: () => nodeRedis.destroy(),
    },
  ];
  const times = new Map(contestants.map(({ name }) => [name, [] as number[]]));
  for (let round = 0; round < ROUNDS; round++)
    for (const each of contestants) times.get(each.name)?.push(await timed(each));
  for (const each of contestants) each.close();
  const first = median(times.get("ioredis") ?? []);
  printTable(
    `${BATCHES.toLocaleString("en-US")} batches of ${ROWS} trades through a stream, median of ${ROUNDS}`,
    ["client", "batches/s", "rows/s", "time, ratio to ioredis"],
    [...times].map(([name, each]) => [
      name,
      Math.round((BATCHES / median(each)) * 1_000).toLocaleString("en-US"),
      thousands((BATCHES * ROWS * 1_000) / median(each)),
      (median(each) / first).toFixed(2),
    ]),
  );
} finally {
  await server.remove();
}

async function timed({ call }: Contestant): Promise<number> {
  await call(["FLUSHALL"]);
  await call(["XGROUP", "CREATE", "s", "g", "0", "MKSTREAM"]);
  const startedMs = performance.now();
  for (let at = 0; at < BATCHES; at += AT_ONCE) {
    await Promise.all(
      Array.from({ length: AT_ONCE }, () => call(["XADD", "s", "*", "b", text, "r", String(ROWS)])),
    );
    const answer = (await call([
      "XREADGROUP",
      "GROUP",
      "g",
      "c",
      "COUNT",
      String(AT_ONCE),
      "STREAMS",
      "s",
      ">",
    ])) as [string, [string, string[]][]][];
    const ids = (answer[0]?.[1] ?? []).map(([id]) => id);
    if (ids.length !== AT_ONCE) throw new Error(`read ${ids.length} of ${AT_ONCE} batches`);
    await call(["XACK", "s", "g", ...ids]);
    await call(["XDEL", "s", ...ids]);
  }
  return performance.now() - startedMs;
}
