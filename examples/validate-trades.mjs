// Checks rows of trades by named rules, and finds the holes in their ids.
// node examples/validate-trades.mjs
import { validateTrades } from "tickwell";

const timeMs = Date.UTC(2024, 0, 1);
const row = (id, change = {}) => ({
  id,
  firstFillId: id,
  lastFillId: id,
  timeMs: timeMs + id,
  price: "42283.58",
  qty: "0.01",
  side: "buy",
  raw: { id, ...change },
  ...change,
});

const { trades, rejected, idGaps } = validateTrades(
  [row(1), row(2, { price: "0" }), row(3), row(3), row(7, { qty: "1e-5" }), row(8)],
  { hasContiguousIds: true, exchangeNowMs: timeMs + 60_000 },
);
console.log(`accepted: ${trades.map(({ id }) => id).join(", ")}`);
for (const { id, rule, detail } of rejected) console.log(`refused:  ${id} ${rule}: ${detail}`);
for (const { firstMissingId, lastMissingId } of idGaps)
  console.log(`missing:  ${firstMissingId} to ${lastMissingId}`);
