// Quality checks: the latest, all of a range, day by day, and as a file.
import { formatMarketName } from "../../core/model/market.js";
import { formatTime } from "../../core/time.js";
import type { QualityDayRow } from "../../store/api/record-pages.js";
import type { Quality, QualityDay } from "../contract.js";
import { decodeCursor, encodeCursor } from "../cursor.js";
import { ApiProblem } from "../problem.js";
import { document, type Reply } from "../reply.js";
import { pageSize, rangeOf, type Route } from "./call.js";
import { toQuality } from "./records.js";

const DAY_MS = 86_400_000;
const DAYS_DEFAULT = 30;
const DAYS_MAX = 400;
const HISTORY_MS = 30 * DAY_MS;
/** A file of all series there can reasonably be. */
const REPORT_ROWS_MAX = 100_000;

export const quality: Route<"quality"> = async ({ store, directory, query, clock }) => {
  const limit = pageSize(query.limit);
  const market = query.market === undefined ? undefined : await directory.find(query.market);
  const filter = { marketId: market?.id, dataType: query.data_type, timeframe: query.timeframe };
  if (query.history === "false") {
    const [offset] = query.cursor === undefined ? [0] : decodeCursor(query.cursor, ["number"] as const);
    const rows = await store.api.latestChecks(filter, { offset: Math.min(offset, 1e9), limit });
    const next = rows.length < limit ? null : encodeCursor([offset + limit]);
    return document({ data: rows.map(toQuality), next_cursor: next });
  }
  const range = rangeOf(query, { nowMs: clock.nowMs() + 1, lengthMs: HISTORY_MS });
  const after =
    query.cursor === undefined ? undefined : decodeCursor(query.cursor, ["number", "number"] as const);
  const rows = await store.api.checks({ ...filter, range }, { after, limit });
  const last = rows.at(-1);
  const next = last && rows.length === limit ? encodeCursor([last.check_us, last.id]) : null;
  return document({ data: rows.map(toQuality), next_cursor: next });
};

/** A page has whole markets, so that a page costs by its own markets alone. */
export const qualityDaily: Route<"qualityDaily"> = async ({ store, directory, query, clock }) => {
  const today = Math.floor(clock.nowMs() / DAY_MS) * DAY_MS;
  const endMs = query.to === undefined ? today + DAY_MS : Math.ceil(query.to / DAY_MS) * DAY_MS;
  const startMs =
    query.from === undefined
      ? Math.max(0, endMs - DAYS_DEFAULT * DAY_MS)
      : Math.floor(query.from / DAY_MS) * DAY_MS;
  const days = (endMs - startMs) / DAY_MS;
  if (days < 0) throw new ApiProblem(400, "from: it is after to", { parameter: "from" });
  if (days > DAYS_MAX)
    throw new ApiProblem(400, `from: found ${days} days, allowed are ${DAYS_MAX} at once`, {
      parameter: "from",
    });
  const limit = pageSize(query.limit);
  const after = query.cursor === undefined ? undefined : decodeCursor(query.cursor, ["string"] as const)[0];
  const chosen = query.market === undefined ? await directory.all() : await directory.findAll(query.market);
  const rest = chosen
    .map((market) => ({ id: market.id, name: formatMarketName(market) }))
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .filter(({ name }) => after === undefined || name > after);
  const page = rest.slice(0, Math.max(1, Math.floor(limit / Math.max(1, days))));
  const rows = await store.api.qualityDays({
    marketIds: page.map(({ id }) => id),
    range: { startMs, endMs },
  });
  const last = page.at(-1);
  return document({
    data: rows.map(toDay),
    next_cursor: last && page.length < rest.length ? encodeCursor([last.name]) : null,
  });
};

export const qualityReport: Route<"qualityReport"> = async ({ store, directory, query, clock }) => {
  const market = query.market === undefined ? undefined : await directory.find(query.market);
  const rows = await store.api.latestChecks(
    { marketId: market?.id, dataType: undefined, timeframe: undefined },
    { offset: 0, limit: REPORT_ROWS_MAX },
  );
  const data = rows.map(toQuality);
  const fileName = `tickwell-quality-${formatTime(clock.nowMs()).slice(0, 10)}`;
  switch (query.format) {
    case "json":
      return {
        kind: "document",
        body: { data, next_cursor: null },
        headers: { "content-disposition": `attachment; filename="${fileName}.json"` },
      };
    case "csv":
      return file("text/csv; charset=utf-8", `${fileName}.csv`, toCsv(data));
    case "markdown":
      return file(
        "text/markdown; charset=utf-8",
        `${fileName}.md`,
        toMarkdown(data, formatTime(clock.nowMs())),
      );
  }
};

function file(contentType: string, fileName: string, body: string): Reply {
  return { kind: "text", contentType, fileName, body };
}

function toDay(row: QualityDayRow): QualityDay {
  const share = row.expected_ms === 0 ? null : 1 - row.missing_ms / row.expected_ms;
  return {
    market: row.market,
    date: row.date,
    score: row.score,
    lowest_score: row.lowest_score,
    checks: row.checks,
    // Rounded down: 100 is said of what is whole only.
    covered_percent: share === null ? null : Math.max(0, Math.floor(share * 1_000_000) / 10_000),
    missing_candles: Math.round(row.missing_candles),
  };
}

const COLUMNS = [
  "market",
  "data_type",
  "timeframe",
  "check_time",
  "from",
  "to",
  "quality_score",
  "verified_percent",
  "is_valid",
  "expected_records",
  "total_records",
  "missing_count",
  "duplicate_count",
  "out_of_order_count",
  "price_jump_count",
  "volume_spike_count",
] as const satisfies readonly (keyof Quality)[];

function toCsv(rows: readonly Quality[]): string {
  const lines = rows.map((row) => COLUMNS.map((column) => cell(row[column])).join(","));
  return `${[COLUMNS.join(","), ...lines].join("\n")}\n`;
}

function cell(value: string | number | boolean | null): string {
  const text = value === null ? "" : String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

function toMarkdown(rows: readonly Quality[], at: string): string {
  const head = ["series", "score", "verified", "valid", "expected", "missing", "what costs points"];
  const lines = rows.map((row) =>
    [
      `${row.market} ${row.timeframe ?? row.data_type}`,
      row.quality_score?.toFixed(2) ?? "–",
      row.verified_percent === null ? "–" : `${row.verified_percent.toFixed(2)} %`,
      row.is_valid ? "yes" : "no",
      String(row.expected_records),
      String(row.missing_count),
      row.deductions.map(({ metric, points }) => `${metric} ${points.toFixed(2)}`).join(", ") || "nothing",
    ].join(" | "),
  );
  const table = [head.join(" | "), head.map(() => "---").join(" | "), ...lines]
    .map((line) => `| ${line} |`)
    .join("\n");
  return `# Data quality\n\nThe latest check of each series, as of ${at}.\n\n${table}\n`;
}
