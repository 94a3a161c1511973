// Checks rows of candles by named rules, and flags what is remarkable.
// node examples/validate-candles.mjs
import { validateCandles } from "tickwell";

const startMs = Date.UTC(2024, 0, 1);
const row = (minute, change = {}) => ({
  openTimeMs: startMs + minute * 60_000,
  open: "42283.58",
  high: "42290.1",
  low: "42280",
  close: String(42283 + (minute % 5)),
  volume: "12.5",
  ...change,
});

const rows = Array.from({ length: 60 }, (_, minute) => row(minute));
rows[20] = row(20, { high: "42000", low: "42290" });
rows[30] = row(30, { close: "4.2e4" });
rows[40] = row(40, { high: "60000", close: "60000" });
const { verdicts, candles, broken } = validateCandles(rows, {
  timeframe: "1m",
  nowMs: startMs + 3_600_000,
});

console.log(`${candles.length} of ${rows.length} accepted`);
for (const [rule, count] of broken) console.log(`refused by ${rule}: ${count}`);
verdicts.forEach((each, minute) => {
  if (each.verdict === "quarantine") console.log(`minute ${minute}: ${each.detail}`);
  else if (each.flags !== 0)
    console.log(`minute ${minute}: flags ${each.flags} (1 price jump, 2 volume spike)`);
});
