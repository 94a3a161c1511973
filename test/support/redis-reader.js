// Takes what is staged, says how much, and never acknowledges it. node redis-reader.js <url> <prefix>
import { setInterval } from "node:timers";
import { systemClock } from "../../dist/src/core/clock.js";
import { silentLog } from "../../dist/src/core/log.js";
import { RedisStage } from "../../dist/src/pipeline/stage/redis-stage.js";

const [, , url = "", prefix = ""] = process.argv;
const stage = new RedisStage({
  url,
  rowsMax: 1_000,
  clock: systemClock,
  log: silentLog,
  prefix,
  claimAfterMs: 300,
});
const taken = await stage.read({ rowsMax: 1_000, ageMs: 100 }, new AbortController().signal);
console.log(`took ${taken.length}`);
setInterval(() => undefined, 1_000);
