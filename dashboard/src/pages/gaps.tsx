// What is missing of all markets, by what it is missing of. Order books: of the last day, for no one can repair them.
import type { JSX } from "preact";
import { askAll, type Gap, type Status } from "../api.js";
import { counted, formatCount, formatDuration } from "../format.js";
import { useAddress, useAsked, useStream } from "../hooks.js";
import { Loaded, marketHref } from "../parts/common.js";
import { GapList } from "../parts/gap-list.js";

const DAY_MS = 86_400_000;
const ROWS_MAX = 500;

const TABS = [
  { data: "ohlcv", title: "Candles", count: (totals: Totals) => totals.candle_gaps },
  { data: "trades", title: "Trades", count: (totals: Totals) => totals.trade_gaps },
  { data: "orderbook", title: "Order books, last 24 h", count: (totals: Totals) => totals.book_outages_24h },
] as const;
type Totals = Status["totals"];

/** @param market undefined: of all markets */
export function gapsHref(data: (typeof TABS)[number]["data"], market?: string): string {
  return `#/gaps?${new URLSearchParams({ data, ...(market === undefined ? {} : { market }) }).toString()}`;
}

export function GapsPage({ status }: { status: Status | undefined }): JSX.Element {
  const { parameters } = useAddress();
  const chosen = TABS.find(({ data }) => data === parameters.get("data")) ?? TABS[0];
  const market = parameters.get("market") ?? undefined;
  // By the clock of the data, which is another one where they are simulated.
  const nowMs = status ? Date.parse(status.time) : Date.now();
  const gaps = useAsked(
    (signal) =>
      askAll<Gap>(
        "/gaps",
        {
          data_type: chosen.data,
          market,
          from: chosen.data === "orderbook" ? new Date(nowMs - DAY_MS).toISOString() : undefined,
        },
        signal,
      ),
    { everyMs: 10_000, deps: [chosen.data, market, status === undefined] },
  );
  const { again } = gaps;
  useStream("gaps", ["*"], (message) => {
    if (message.type === "gaps" && message.gap.data_type === chosen.data) again();
  });
  return (
    <section aria-labelledby="gaps-title">
      <h1 id="gaps-title">
        Gaps
        {market !== undefined && (
          <small>
            of <a href={marketHref(market)}>{market}</a>; <a href={gapsHref(chosen.data)}>of all markets</a>
          </small>
        )}
      </h1>
      <div class="bar" role="group" aria-label="Data">
        {TABS.map(({ data, title, count }) => (
          <a
            key={data}
            class={`tab ${data === chosen.data ? "chosen" : ""}`}
            aria-current={data === chosen.data ? "true" : undefined}
            href={gapsHref(data, market)}
          >
            {title}
            {status && market === undefined ? ` (${formatCount(count(status.totals))})` : ""}
          </a>
        ))}
      </div>
      {status && market === undefined && <p class="dim">{wordsFor(chosen.data, status.totals)}</p>}
      <Loaded asked={gaps}>{(value) => <GapList gaps={value} rowsMax={ROWS_MAX} hasMarkets />}</Loaded>
    </section>
  );
}

function wordsFor(data: (typeof TABS)[number]["data"], totals: Totals): string {
  switch (data) {
    case "ohlcv":
      return totals.candles_missing === 0
        ? "No candle is missing: each is stored, or proven void."
        : `${counted(totals.candles_missing, "candle")} in ${counted(totals.candle_gaps, "gap")}. Each is fetched again by itself.`;
    case "trades":
      return totals.trade_gaps === 0
        ? "No trade is missing: their ids continue without a hole."
        : `Ids, or times, that the stream left out in ${counted(totals.trade_gaps, "place")}. Each is fetched again by itself.`;
    case "orderbook":
      return totals.book_outages_24h === 0
        ? "Every book was valid all day."
        : `${counted(totals.book_outages_24h, "time")} without a valid book, ${formatDuration(totals.book_outage_ms_24h)} together. They stay on record: nothing can repair them.`;
  }
}
