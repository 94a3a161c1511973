// Rows that come in the other direction than the venue's.
import { malformed } from "./malformed.js";

/**
 * Refuses a page that as a whole runs against the order the venue gives its rows in: it answers another question, and
 * what its ends prove is unknown. A single row out of place is left to the gate.
 * @throws TickwellError `malformed_payload`
 */
export function refuseBackwards(
  timesMs: readonly (number | undefined)[],
  order: "ascending" | "descending",
): void {
  let rises = 0;
  let falls = 0;
  for (let i = 1; i < timesMs.length; i++) {
    const [before, after] = [timesMs[i - 1], timesMs[i]];
    if (before === undefined || after === undefined) continue;
    if (after > before) rises++;
    else if (after < before) falls++;
  }
  const isBackwards = order === "ascending" ? falls > rises : rises > falls;
  if (isBackwards) throw malformed("$", `expected rows in ${order} order, found them the other way round`);
}
