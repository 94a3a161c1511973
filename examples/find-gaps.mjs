// Lists every gap and void of a store, as a script or a dashboard would.
// node examples/find-gaps.mjs [embedded | postgres://…] [data directory]
import { openStore } from "tickwell";

const [, , url = "embedded", dataDir = "./data"] = process.argv;
const store = await openStore(url, { dataDir, role: "reader" });
for (const gap of await store.gaps({})) {
  console.log(
    `gap   ${gap.market} ${gap.timeframe} ${new Date(gap.startMs).toISOString()} ${gap.candles} candles: ${gap.reason ?? "not fetched yet"}`,
  );
}
for (const each of await store.voids({})) {
  console.log(
    `void  ${each.market} ${each.timeframe} ${new Date(each.startMs).toISOString()} ${each.candles} candles`,
  );
}
for (const state of await store.seriesStates({})) {
  console.log(
    `${state.market} ${state.timeframe}: ${state.coveredCandles} stored, ${state.voidCandles} void, of ${state.expectedCandles} expected`,
  );
}
await store.close();
