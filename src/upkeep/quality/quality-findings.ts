// What a check has to say in words: errors make a series invalid, warnings are worth a look. Both go into the summary.
import { formatDuration } from "../../core/duration.js";
import { formatTime } from "../../core/time.js";
import { timeframeMs } from "../../core/timeframe.js";
import type { QualityMeasurement } from "../../store/quality-measurement.js";
import type { QualityFinding } from "../../store/quality-records.js";

/** These rules count in the score already. */
const SCORED_RULES: readonly string[] = ["candle.duplicate", "candle.out_of_order"];
/** A collector that runs follows its series within minutes, or two candles where they are longer. */
const BEHIND_MIN_MS = 10 * 60_000;
const BEHIND_CANDLES = 2;

export function qualityErrors(measured: QualityMeasurement): QualityFinding[] {
  const { missing, gaps, waitingCandles, freshCandles } = measured;
  const { coveredCandles, coveredRows, rowsInVoids, rowsInGaps, ruleBroken } = measured;
  const findings: QualityFinding[] = [];
  // What may still come by itself is a warning.
  const lost = missing - waitingCandles - freshCandles;
  if (lost > 0) {
    const where = lost === missing && gaps.total > 0 ? ` in ${count(gaps.total, "gap")}` : "";
    findings.push({
      code: "missing_candles",
      count: lost,
      message: `${count(lost, "candle")} missing${where}`,
    });
  }
  if (coveredRows !== coveredCandles) {
    findings.push({
      code: "ledger_mismatch",
      count: Math.abs(coveredCandles - coveredRows),
      message: `ledger says ${count(coveredCandles, "row")}, the table has ${figure(coveredRows)}: something other than tickwell has changed it`,
    });
  }
  if (rowsInVoids > 0) {
    findings.push({
      code: "rows_in_voids",
      count: rowsInVoids,
      message: `ledger says the exchange has nothing there, the table has ${count(rowsInVoids, "row")}`,
    });
  }
  if (rowsInGaps > 0) {
    findings.push({
      code: "unproven_rows",
      count: rowsInGaps,
      message: `${count(rowsInGaps, "row")} in the table that nothing proves`,
    });
  }
  if (ruleBroken > 0) {
    const { listed } = measured.flagged.rule_broken;
    const times = listed.slice(0, 3).map((candle) => formatTime(candle.openTimeMs));
    findings.push({
      code: "rule_broken",
      count: ruleBroken,
      message: `${count(ruleBroken, "stored candle")} broke a rule, the latest at ${times.join(", ")}`,
    });
  }
  return findings;
}

export function qualityWarnings(measured: QualityMeasurement, nowMs: number): QualityFinding[] {
  const findings: QualityFinding[] = [];
  const warn = (code: string, total: number, message: string): void => {
    if (total > 0) findings.push({ code, count: total, message });
  };
  const { priceJumps, volumeSpikes, revised, importedCandles, expectedRecords } = measured;
  const { waitingCandles, freshCandles } = measured;
  warn("price_jumps", priceJumps, count(priceJumps, "price jump"));
  warn("volume_spikes", volumeSpikes, count(volumeSpikes, "volume spike"));
  warn(
    "revisions",
    revised,
    `the source has changed ${count(revised, "candle")} since they were first stored`,
  );
  const share = Math.max(1, Math.round((importedCandles / Math.max(expectedRecords, 1)) * 100));
  warn("imported", importedCandles, `${share} % rests on imported files, not on the exchange's own word`);
  warn(
    "waiting",
    waitingCandles,
    `${count(waitingCandles, "missing candle")} waiting to be asked for once more before the exchange is believed`,
  );
  warn("fresh", freshCandles, `${count(freshCandles, "candle")} closed just now and not fetched yet`);
  for (const [rule, { occurrences }] of measured.refused)
    if (!SCORED_RULES.includes(rule))
      warn(rule, occurrences, `${count(occurrences, "row")} refused by ${rule}`);
  const behindMs = measured.endMs - (measured.collectedToMs ?? measured.endMs);
  if (behindMs >= Math.max(BEHIND_MIN_MS, BEHIND_CANDLES * timeframeMs(measured.timeframe))) {
    const sinceMs = nowMs - (measured.collectedToMs ?? nowMs);
    findings.push({
      code: "not_followed",
      count: Math.floor(behindMs / timeframeMs(measured.timeframe)),
      message: `no collector has followed it for ${formatDuration(sinceMs)}: what came since is not judged`,
    });
  }
  return findings;
}

function figure(value: number): string {
  return value.toLocaleString("en-US");
}

/** `1 gap`, `2,000 gaps` */
function count(total: number, noun: string): string {
  return `${figure(total)} ${noun}${total === 1 ? "" : "s"}`;
}
