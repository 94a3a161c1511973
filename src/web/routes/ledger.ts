// What is proven and what is missing: gaps, voids, and the division of time.
import type { LedgerDataType, LedgerFilter, LedgerPosition } from "../../store/api/ledger-pages.js";
import { DATA_TYPES } from "../contract.js";
import { decodeCursor, encodeCursor } from "../cursor.js";
import { ApiProblem } from "../problem.js";
import { document } from "../reply.js";
import { pageSize, rangeOf, type Call, type Route } from "./call.js";
import { toCoverage, toGap } from "./records.js";

export const gaps: Route<"gaps"> = async (call) => {
  const { store, query } = call;
  const limit = pageSize(query.limit);
  const filter = { ...(await filterOf(call)), kind: query.kind };
  const rows = await store.api.absences(filter, { after: positionOf(query.cursor), limit });
  return document({ data: rows.map(toGap), next_cursor: nextOf(rows, limit) });
};

export const coverage: Route<"coverage"> = async (call) => {
  const { store, query } = call;
  const limit = pageSize(query.limit);
  const rows = await store.api.coverage(await filterOf(call), { after: positionOf(query.cursor), limit });
  return document({ data: rows.map(toCoverage), next_cursor: nextOf(rows, limit) });
};

async function filterOf({ query, directory, clock }: Call<"gaps" | "coverage">): Promise<LedgerFilter> {
  const market = query.market === undefined ? undefined : await directory.find(query.market);
  const isBounded = query.from !== undefined || query.to !== undefined;
  return {
    marketIds: market && [market.id],
    dataType: query.data_type,
    timeframe: query.timeframe,
    range: isBounded ? rangeOf(query, { nowMs: clock.nowMs() }) : undefined,
  };
}

function positionOf(cursor: string | undefined): LedgerPosition | undefined {
  if (cursor === undefined) return undefined;
  const [marketId, dataType, timeframe, startMs] = decodeCursor(cursor, [
    "number",
    "string",
    "string",
    "number",
  ] as const);
  const known = DATA_TYPES.find((each) => each === dataType);
  if (known === undefined || marketId > 2 ** 31 - 1 || startMs > LATEST_MS)
    throw new ApiProblem(400, "cursor: it is not of this route", { parameter: "cursor" });
  return [marketId, known, timeframe, startMs];
}

const LATEST_MS = Date.parse("9999-01-01T00:00:00Z");

interface LedgerRow {
  readonly market_id: number;
  readonly data_type: LedgerDataType;
  readonly timeframe: string;
  readonly start_ms: number;
}

function nextOf(rows: readonly LedgerRow[], limit: number): string | null {
  const last = rows.at(-1);
  if (!last || rows.length < limit) return null;
  return encodeCursor([last.market_id, last.data_type, last.timeframe, Math.floor(last.start_ms)]);
}
