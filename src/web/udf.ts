// TradingView's Universal Data Feed: its charting library, and whatever else speaks it, draws straight from the store.
// Times are epoch seconds and numbers are doubles there: for drawing, not for reckoning. Gaps and voids come as marks.
import type { FastifyInstance } from "fastify";
import { z } from "zod";
import { formatMarketName } from "../core/model/market.js";
import type { TimeRange } from "../core/range.js";
import { formatTime } from "../core/time.js";
import { floorToTimeframe, timeframeMs, TIMEFRAMES, type Timeframe } from "../core/timeframe.js";
import { DERIVED_FROM } from "../store/api/derived-candles.js";
import type { RowPageRequest } from "../store/api/row-pages.js";
import type { StoredMarket } from "../store/store.js";
import { required } from "./contract.js";
import { derivedTimeframes } from "./derived-timeframes.js";
import { ApiProblem, problemOfIssues } from "./problem.js";
import type { RouteParts } from "./routes/call.js";

const BARS_MAX = 10_000;
const MARKS_MAX = 500;
const SEARCH_MAX = 100;
/** Closes looked at to find how many digits a price has. */
const DIGITS_FROM = 200;
/** Where the last bar before an empty range is looked for. */
const EVERYTHING_BEFORE = 0;

const RESOLUTIONS: Readonly<Record<Timeframe, string>> = {
  "1m": "1",
  "3m": "3",
  "5m": "5",
  "15m": "15",
  "30m": "30",
  "1h": "60",
  "2h": "120",
  "4h": "240",
  "6h": "360",
  "8h": "480",
  "12h": "720",
  "1d": "1D",
  "1w": "1W",
};

const seconds = z
  .string(required)
  .regex(/^-?\d{1,11}$/, "expected epoch seconds")
  .transform(Number);
const symbol = z.string(required).min(1).max(100);
const resolution = z.string(required).min(1).max(10);

const searchQuery = z.object({
  query: z.string().max(100).default(""),
  type: z.string().max(20).default(""),
  exchange: z.string().max(60).default(""),
  limit: z
    .string()
    .regex(/^\d{1,4}$/, "expected a whole number")
    .transform(Number)
    .optional(),
});
const historyQuery = z.object({
  symbol,
  resolution,
  from: seconds.optional(),
  to: seconds,
  countback: z
    .string()
    .regex(/^\d{1,6}$/, "expected a whole number")
    .transform(Number)
    .optional(),
});
const marksQuery = z.object({ symbol, resolution, from: seconds, to: seconds });

export function addUdfRoutes(app: FastifyInstance, parts: RouteParts): void {
  const feed = new UdfFeed(parts);
  const noStore = { "cache-control": "no-store" } as const;
  app.get("/udf/config", async (_request, reply) => reply.headers(noStore).send(await feed.config()));
  app.get("/udf/time", async (_request, reply) =>
    reply
      .headers(noStore)
      .type("text/plain; charset=utf-8")
      .send(String(Math.floor(parts.clock.nowMs() / 1_000))),
  );
  app.get("/udf/symbols", async (request, reply) => {
    const query = parsed(z.object({ symbol }), request.query);
    return reply.headers(noStore).send(await told(() => feed.symbol(query.symbol)));
  });
  app.get("/udf/search", async (request, reply) =>
    reply.headers(noStore).send(await feed.search(parsed(searchQuery, request.query))),
  );
  app.get("/udf/history", async (request, reply) => {
    const query = parsed(historyQuery, request.query);
    return reply.headers(noStore).send(await told(() => feed.history(query)));
  });
  app.get("/udf/marks", async (request, reply) => {
    const query = parsed(marksQuery, request.query);
    return reply.headers(noStore).send(await told(() => feed.marks(query)));
  });
}

function parsed<Schema extends z.ZodType>(schema: Schema, query: unknown): z.output<Schema> {
  const result = schema.safeParse(query);
  if (!result.success) throw problemOfIssues(result.error);
  return result.data;
}

/** What is wrong is told in the feed's own way, which its clients show. */
async function told(work: () => Promise<unknown>): Promise<unknown> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof ApiProblem) return { s: "error", errmsg: error.message };
    throw error;
  }
}

interface Bar {
  readonly openTimeMs: number;
  readonly values: readonly number[];
}

/** A timeframe that is asked for, and the stored one of which it is made: itself, or minutes. */
interface Resolution {
  readonly timeframe: Timeframe;
  readonly base: Timeframe;
}

class UdfFeed {
  readonly #parts: RouteParts;

  constructor(parts: RouteParts) {
    this.#parts = parts;
  }

  async config(): Promise<unknown> {
    const markets = await this.#parts.directory.all();
    const exchanges = [...new Set(markets.map(({ exchange }) => exchange))].sort();
    return {
      supports_search: true,
      supports_group_request: false,
      supports_marks: true,
      supports_timescale_marks: false,
      supports_time: true,
      exchanges: [
        { value: "", name: "All", desc: "" },
        ...exchanges.map((name) => ({ value: name, name, desc: name })),
      ],
      symbols_types: [
        { name: "All", value: "" },
        { name: "spot", value: "spot" },
        { name: "swap", value: "swap" },
      ],
      supported_resolutions: TIMEFRAMES.map((timeframe) => RESOLUTIONS[timeframe]),
    };
  }

  async symbol(name: string): Promise<unknown> {
    const market = await this.#parts.directory.find(name, "symbol");
    const { stored, all } = await this.#timeframes(market);
    const shortest = stored[0];
    const closes =
      shortest === undefined
        ? []
        : await this.#bars(
            market,
            { timeframe: shortest, base: shortest },
            { startMs: 0, endMs: this.#parts.clock.nowMs() },
            DIGITS_FROM,
          );
    const digits = closes.reduce((most, { values }) => Math.max(most, digitsOf(values[3] ?? 0)), 0);
    const intraday = all.filter((timeframe) => timeframeMs(timeframe) < timeframeMs("1d"));
    return {
      name: formatMarketName(market),
      ticker: formatMarketName(market),
      description: `${market.baseAsset} / ${market.quoteAsset}${market.isSimulated ? " (simulated)" : ""}`,
      type: market.marketType,
      exchange: market.exchange,
      listed_exchange: market.exchange,
      session: "24x7",
      timezone: "Etc/UTC",
      minmov: 1,
      pricescale: 10 ** digits,
      format: "price",
      has_intraday: intraday.length > 0,
      intraday_multipliers: intraday.map((timeframe) => RESOLUTIONS[timeframe]),
      has_daily: all.includes("1d"),
      has_weekly_and_monthly: all.includes("1w"),
      // The library makes longer bars of shorter ones by itself.
      supported_resolutions: TIMEFRAMES.filter((timeframe) =>
        stored.some((each) => timeframeMs(timeframe) % timeframeMs(each) === 0),
      ).map((timeframe) => RESOLUTIONS[timeframe]),
      volume_precision: 8,
      data_status: "streaming",
    };
  }

  async search({ query, type, exchange, limit }: z.output<typeof searchQuery>): Promise<unknown> {
    const wanted = query.toUpperCase();
    const markets = await this.#parts.directory.all();
    return markets
      .filter(
        (market) =>
          (type === "" || market.marketType === type) &&
          (exchange === "" || market.exchange === exchange) &&
          `${formatMarketName(market)} ${market.nativeSymbol}`.toUpperCase().includes(wanted),
      )
      .slice(0, Math.min(limit ?? SEARCH_MAX, SEARCH_MAX))
      .map((market) => ({
        symbol: formatMarketName(market),
        full_name: formatMarketName(market),
        ticker: formatMarketName(market),
        description: `${market.baseAsset} / ${market.quoteAsset}`,
        exchange: market.exchange,
        type: market.marketType,
      }));
  }

  async history(query: z.output<typeof historyQuery>): Promise<unknown> {
    const market = await this.#parts.directory.find(query.symbol, "symbol");
    const resolution = await this.#timeframeOf(market, query.resolution);
    const endMs = Math.max(0, query.to) * 1_000;
    const startMs = Math.max(0, query.from ?? 0) * 1_000;
    // So many bars before the end are wanted, however far they reach back; without a number, those of the range.
    const count = query.countback;
    const range = { startMs: count === undefined ? startMs : EVERYTHING_BEFORE, endMs };
    const bars = await this.#bars(market, resolution, range, Math.min(count ?? BARS_MAX, BARS_MAX));
    if (bars.length === 0) {
      const [before] = await this.#bars(
        market,
        resolution,
        { startMs: 0, endMs: Math.min(startMs, endMs) },
        1,
      );
      return before ? { s: "no_data", nextTime: before.openTimeMs / 1_000 } : { s: "no_data" };
    }
    const column = (at: number): number[] => bars.map(({ values }) => values[at] ?? 0);
    return {
      s: "ok",
      t: bars.map(({ openTimeMs }) => openTimeMs / 1_000),
      o: column(0),
      h: column(1),
      l: column(2),
      c: column(3),
      v: column(4),
    };
  }

  async marks({ symbol: name, resolution: text, from, to }: z.output<typeof marksQuery>): Promise<unknown> {
    const { directory, store } = this.#parts;
    const market = await directory.find(name, "symbol");
    const { timeframe, base } = await this.#timeframeOf(market, text);
    const range = { startMs: Math.max(0, from) * 1_000, endMs: Math.max(0, to, from) * 1_000 };
    const rows =
      range.startMs === range.endMs
        ? []
        : await store.api.absences(
            { marketIds: [market.id], dataType: "ohlcv", timeframe: base, range, kind: "all" },
            { after: undefined, limit: MARKS_MAX },
          );
    const isGap = (kind: "gap" | "void"): boolean => kind === "gap";
    return {
      id: rows.map((_, i) => i),
      time: rows.map(({ start_ms: startMs }) => floorToTimeframe(startMs, timeframe) / 1_000),
      color: rows.map(({ kind }) => (isGap(kind) ? "red" : "blue")),
      label: rows.map(({ kind }) => (isGap(kind) ? "G" : "V")),
      labelFontColor: rows.map(() => "white"),
      minSize: rows.map(() => 14),
      text: rows.map(
        ({ kind, start_ms: startMs, end_ms: endMs, reason }) =>
          `${isGap(kind) ? `missing (${reason ?? "not fetched yet"})` : "the exchange has none"}: ${formatTime(startMs)} to ${formatTime(endMs)}`,
      ),
    };
  }

  /** The stored ones, and those with what can be made of them; shortest first. */
  async #timeframes(market: StoredMarket): Promise<{ stored: Timeframe[]; all: Timeframe[] }> {
    const series = await this.#parts.board.series(market.id);
    const stored = series.flatMap(({ timeframe }) => (timeframe === null ? [] : [timeframe]));
    const known = new Set([...stored, ...derivedTimeframes(series)]);
    return { stored, all: TIMEFRAMES.filter((timeframe) => known.has(timeframe)) };
  }

  /** @throws ApiProblem for one that is neither stored nor can be made */
  async #timeframeOf(market: StoredMarket, text: string): Promise<Resolution> {
    const wanted = { D: "1D", W: "1W" }[text] ?? text;
    const { stored, all } = await this.#timeframes(market);
    const found = all.find((timeframe) => RESOLUTIONS[timeframe] === wanted);
    if (found) return { timeframe: found, base: stored.includes(found) ? found : DERIVED_FROM };
    const known = all.map((timeframe) => RESOLUTIONS[timeframe]).join(", ");
    throw new ApiProblem(
      400,
      `resolution: ${formatMarketName(market)} is not stored at this one; there are: ${known === "" ? "none" : known}`,
      { parameter: "resolution" },
    );
  }

  /** The last `count` bars of the range, ascending. */
  async #bars(
    market: StoredMarket,
    { timeframe, base }: Resolution,
    range: TimeRange,
    count: number,
  ): Promise<Bar[]> {
    if (count === 0 || range.startMs >= range.endMs) return [];
    const { api } = this.#parts.store;
    const request: RowPageRequest = {
      marketId: market.id,
      range,
      order: "desc",
      lines: "csv",
      separator: "\n",
      rowsMax: count,
      after: undefined,
    };
    const { text } = await (base === timeframe
      ? api.candlePage(timeframe, request)
      : api.derivedCandlePage(timeframe, request));
    if (text === "") return [];
    return text
      .split("\n")
      .map((line) => {
        const [time = "", ...values] = line.split(",");
        return { openTimeMs: Date.parse(time), values: values.slice(0, 5).map(Number) };
      })
      .reverse();
  }
}

function digitsOf(value: number): number {
  const text = String(value);
  const exponent = /e-(\d+)$/.exec(text);
  if (exponent) return Number(exponent[1]) + (text.split(".")[1]?.split("e")[0]?.length ?? 0);
  return text.split(".")[1]?.length ?? 0;
}
