// The sentences of a quality report, the same on a terminal and in Markdown.
import { formatMinute } from "../../core/time.js";
import type {
  GapEvidence,
  JumpEvidence,
  QualityDeduction,
  RefusedEvidence,
  SpikeEvidence,
} from "../../store/quality-records.js";
import type { QualityReport, ReportedSeries } from "../../upkeep/quality/quality-report.js";
import { formatCount, formatPercent, type Column } from "../table.js";

/** A terminal is not a database: the JSON names more of them. */
const EVIDENCE_MAX = 5;
/** Of an exchange's error text; it may be a page of HTML. */
const DETAIL_CHARS_MAX = 80;
/** What the deductions of a series say already. */
const SAID_BY_DEDUCTIONS: readonly string[] = ["missing_candles", "price_jumps", "volume_spikes"];

export const REPORT_COLUMNS = [
  { title: "market" },
  { title: "timeframe" },
  { title: "score", align: "right" },
  { title: "verified", align: "right" },
  { title: "expected", align: "right" },
  { title: "stored", align: "right" },
  { title: "missing", align: "right" },
  { title: "dup", align: "right" },
  { title: "order", align: "right" },
  { title: "jumps", align: "right" },
  { title: "spikes", align: "right" },
  { title: "" },
] as const satisfies readonly Column[];

/** The cells of one series, under REPORT_COLUMNS. */
export function reportCells(series: ReportedSeries): string[] {
  return [
    series.market,
    series.timeframe,
    formatScore(series.quality_score),
    series.verified_percent === null ? "–" : formatPercent(series.verified_percent, 100),
    formatCount(series.expected_records),
    formatCount(series.total_records),
    formatCount(series.missing_count),
    formatCount(series.duplicate_count),
    formatCount(series.out_of_order_count),
    formatCount(series.price_jump_count),
    formatCount(series.volume_spike_count),
    verdict(series),
  ];
}

/** Two digits, rounded down: 100 is only said when nothing at all is wrong. */
function formatScore(score: number | null): string {
  return score === null ? "–" : (Math.floor(score * 100) / 100).toFixed(2);
}

function verdict(series: ReportedSeries): string {
  if (!series.is_valid) return "not valid";
  return series.quality_score === null ? "nothing expected" : "";
}

/** One line over all: how many series are valid, how much is missing. */
export function reportSummary(report: QualityReport): string {
  const { series, valid_series, missing_count, check_time } = report;
  const missing = missing_count === 0 ? "nothing is missing" : `${candles(missing_count)} missing`;
  const when = check_time === null ? "" : ` Checked at ${formatMinute(toSecond(check_time))} UTC.`;
  return `${formatCount(valid_series)} of ${formatCount(series.length)} series valid, ${missing}.${when}`;
}

/** Series that have something to explain. */
export function explainedSeries(report: QualityReport): ReportedSeries[] {
  return report.series.filter((series) => series.deductions.length > 0 || otherErrors(series).length > 0);
}

/** `binance:BTC/USDT 1m, 2024-01-01 00:00 to 2024-01-02 00:00: 97.22` */
export function seriesTitle(series: ReportedSeries): string {
  const [start, end] = [series.time_range_start, series.time_range_end].map((time) =>
    formatMinute(Date.parse(time)),
  );
  return `${series.market} ${series.timeframe}, ${start} to ${end}: ${formatScore(series.quality_score)}`;
}

/** Errors that no deduction explains. */
export function otherErrors(series: ReportedSeries): string[] {
  return series.validation_errors
    .filter((finding) => !SAID_BY_DEDUCTIONS.includes(finding.code))
    .map((finding) => finding.message);
}

/** Warnings that no deduction explains, of all series. */
export function notes(report: QualityReport): string[] {
  return report.series.flatMap((series) =>
    series.validation_warnings
      .filter((finding) => !SAID_BY_DEDUCTIONS.includes(finding.code))
      .map((finding) => `${series.market} ${series.timeframe}: ${finding.message}`),
  );
}

export interface DeductionWords {
  /** `−2.78` */
  readonly points: string;
  readonly title: string;
  readonly evidence: readonly string[];
}

export function deductionWords(deduction: QualityDeduction): DeductionWords {
  const lines = evidenceLines(deduction);
  const shown = lines.slice(0, EVIDENCE_MAX);
  const hidden = lines.length - shown.length + deduction.more;
  const more = hidden > 0 ? [`and ${formatCount(hidden)} more`] : [];
  return { points: formatPoints(deduction), title: titleOf(deduction), evidence: [...shown, ...more] };
}

/** A defect that costs less than can be shown still costs something. */
function formatPoints({ points }: QualityDeduction): string {
  if (points > 0 && points < 0.005) return "< −0.01";
  return points === 0 ? "0.00" : `−${points.toFixed(2)}`;
}

function titleOf(deduction: QualityDeduction): string {
  const { count, points } = deduction;
  const free = points === 0 ? ": the score is 0 already" : "";
  switch (deduction.metric) {
    case "missing":
      return `${candles(count)} missing`;
    case "duplicate":
      return `${plural(count, "row")} sent twice${free}`;
    case "out_of_order":
      return `${plural(count, "row")} out of order${free}`;
    case "price_jump":
      return `${plural(count, "price jump")}${free}`;
    case "volume_spike":
      return `${plural(count, "volume spike")}${free}`;
  }
}

function evidenceLines(deduction: QualityDeduction): string[] {
  switch (deduction.metric) {
    case "missing":
      return deduction.evidence.map(gapLine);
    case "duplicate":
    case "out_of_order":
      return deduction.evidence.map(refusedLine);
    case "price_jump":
      return deduction.evidence.map(jumpLine);
    case "volume_spike":
      return deduction.evidence.map(spikeLine);
  }
}

function gapLine(gap: GapEvidence): string {
  const asked = gap.asked === 0 ? "" : `, asked ${gap.asked === 1 ? "once" : `${gap.asked} times`}`;
  const next = gap.next_ask_at === null ? "" : `, again at ${minute(gap.next_ask_at)}`;
  return `${span(gap.start, gap.end)}, ${candles(gap.candles)}: ${reasonWords(gap)}${asked}${next}`;
}

function reasonWords({ reason, detail }: GapEvidence): string {
  switch (reason) {
    case "not_fetched":
      return "not fetched yet";
    case "absent":
      return "the exchange did not have it";
    case "rejected":
      return `the exchange sent broken rows${detail === null ? "" : ` (${oneLine(detail)})`}`;
    case "fetch_failed":
      return `the request failed${detail === null ? "" : ` (${oneLine(detail)})`}`;
    case "not_collected":
      return "nothing was collecting";
    case "vanished":
      return "was stored, and is gone from the table";
  }
}

function refusedLine({ open_time, detail, occurrences }: RefusedEvidence): string {
  const often = occurrences === 1 ? "" : `, ${formatCount(occurrences)} times`;
  return `${minute(open_time)}: ${oneLine(detail)}${often}`;
}

function jumpLine({ open_time, close, previous_close, usual_return }: JumpEvidence): string {
  const usual = usual_return === null ? "" : `, usually ±${percent(Math.expm1(usual_return))}`;
  if (previous_close === null) return `${minute(open_time)}: close ${close}${usual}`;
  const change = Number(close) / Number(previous_close) - 1;
  return `${minute(open_time)}: close ${close} after ${previous_close} (${change > 0 ? "+" : ""}${percent(change)})${usual}`;
}

function spikeLine({ open_time, volume, usual_volume }: SpikeEvidence): string {
  if (usual_volume === null) return `${minute(open_time)}: volume ${volume}`;
  const times = usual_volume > 0 ? `${formatCount(Math.round(Number(volume) / usual_volume))} times ` : "";
  return `${minute(open_time)}: volume ${volume}, ${times}the usual ${Number(usual_volume.toPrecision(4))}`;
}

/** The day is said once where it is one. */
function span(start: string, end: string): string {
  const [from, to] = [minute(start), minute(end)];
  return to.startsWith(from.slice(0, 10)) ? `${from} to ${to.slice(11)}` : `${from} to ${to}`;
}

function toSecond(time: string): number {
  return Math.floor(Date.parse(time) / 1_000) * 1_000;
}

function minute(time: string): string {
  return formatMinute(Date.parse(time));
}

function percent(share: number): string {
  return `${Number((share * 100).toPrecision(3))} %`;
}

function oneLine(text: string): string {
  const flat = text.replace(/\s+/g, " ");
  return flat.length > DETAIL_CHARS_MAX ? `${flat.slice(0, DETAIL_CHARS_MAX - 1)}…` : flat;
}

function candles(count: number): string {
  return plural(count, "candle");
}

function plural(count: number, noun: string): string {
  return `${formatCount(count)} ${noun}${count === 1 ? "" : "s"}`;
}
