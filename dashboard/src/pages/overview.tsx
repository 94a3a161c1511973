// Every market a row, or a card where there is no room for one. The first line says whether the data is whole, or what is missing of what.
import type { ComponentChildren, JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import { askAll, type Market, type Status } from "../api.js";
import { counted, formatCount, formatDuration, formatPercent } from "../format.js";
import { useAsked, useMedia, useStream } from "../hooks.js";
import { Ago, Badge, Loaded, marketHref } from "../parts/common.js";
import { Strip } from "../parts/strip.js";
import { gapsHref } from "./gaps.js";

const ROW_PX = 38;
/** A market as a card, with the space below it; the style sheet says the same. */
const CARD_PX = 156;
const NARROW = "(max-width: 760px)";
/** Rows above and below what is seen, so that scrolling meets no blank. */
const SPARE_ROWS = 8;

type SortKey = "market" | "score" | "verified" | "missing" | "trades" | "book" | "behind" | "change";
const COLUMNS: readonly { key: SortKey | undefined; title: string; hint?: string; isNumber?: boolean }[] = [
  { key: "market", title: "Market" },
  { key: undefined, title: "Price", isNumber: true },
  { key: "change", title: "24 h", isNumber: true },
  { key: undefined, title: "Coverage, last 24 h" },
  { key: "score", title: "Score", isNumber: true, hint: "0 to 100; the lowest of its series" },
  {
    key: "verified",
    title: "Verified",
    isNumber: true,
    hint: "share of the time that has proof, stored or void",
  },
  { key: "missing", title: "Missing candles", isNumber: true, hint: "each is fetched again by itself" },
  {
    key: "trades",
    title: "Trade gaps",
    isNumber: true,
    hint: "stretches of trades that are missing; each is fetched again by itself",
  },
  {
    key: "book",
    title: "Without book",
    isNumber: true,
    hint: "how often, and how long together, there was no valid order book in the last 24 h; nothing can repair that",
  },
  {
    key: "behind",
    title: "Behind",
    isNumber: true,
    hint: "now minus the end of what is proven without a hole",
  },
  { key: undefined, title: "Last event" },
];

function valueOf(market: Market, key: SortKey): number | string {
  const { summary } = market;
  switch (key) {
    case "market":
      return market.market;
    case "score":
      return summary?.score ?? 101;
    case "verified":
      return summary?.verified_percent ?? 101;
    case "missing":
      return -(summary?.missing_candles ?? 0);
    case "trades":
      return -(summary?.trade_gaps ?? 0);
    case "book":
      return -(summary?.book_outage_ms_24h ?? 0);
    case "behind":
      return -(summary?.behind_ms ?? 0);
    case "change":
      return -(summary?.change_24h_percent ?? -Infinity);
  }
}

/** The last price of each market as it comes in; rows that are seen are drawn anew once a frame at most. */
function usePrices(): ReadonlyMap<string, string> {
  const prices = useRef(new Map<string, string>());
  const frame = useRef<number>();
  const [, draw] = useState(0);
  useStream("prices", ["*"], (message) => {
    if (message.type !== "prices") return;
    for (const [market, price] of message.data) prices.current.set(market, price);
    frame.current ??= requestAnimationFrame(() => {
      frame.current = undefined;
      draw((before) => before + 1);
    });
  });
  return prices.current;
}

export function Overview({ status }: { status: Status | undefined }): JSX.Element {
  const markets = useAsked((signal) => askAll<Market>("/markets", { include: "summary" }, signal), {
    everyMs: 5_000,
    deps: [],
  });
  const { again } = markets;
  useStream("gaps", ["*"], () => again());
  const prices = usePrices();
  const [sort, setSort] = useState<{ key: SortKey; isReversed: boolean }>({
    key: "market",
    isReversed: false,
  });
  const [filter, setFilter] = useState("");
  const [onlyTrouble, setOnlyTrouble] = useState(false);
  const isNarrow = useMedia(NARROW);
  const rows = useMemo(() => {
    const wanted = filter.trim().toLowerCase();
    const chosen = (markets.value ?? []).filter(
      (each) =>
        each.market.toLowerCase().includes(wanted) &&
        (!onlyTrouble || (each.summary?.open_gaps ?? 0) > 0 || each.summary?.is_valid === false),
    );
    const sorted = chosen.sort((a, b) => {
      const [x, y] = [valueOf(a, sort.key), valueOf(b, sort.key)];
      return x < y ? -1 : x > y ? 1 : a.market < b.market ? -1 : 1;
    });
    return sort.isReversed ? sorted.reverse() : sorted;
  }, [markets.value, filter, onlyTrouble, sort]);
  const rowPx = isNarrow ? CARD_PX : ROW_PX;
  const { place, scrollTop } = useScrollTop();
  const first = Math.max(0, Math.floor(scrollTop / rowPx) - SPARE_ROWS);
  const last = Math.min(rows.length, first + Math.ceil(innerHeight / rowPx) + 2 * SPARE_ROWS);
  return (
    <section aria-labelledby="overview-title">
      <h1 id="overview-title">{status ? <Verdict status={status} /> : "Overview"}</h1>
      <div class="bar">
        <label>
          <span class="hidden">Filter markets</span>
          <input
            type="search"
            placeholder="Filter markets"
            value={filter}
            onInput={(event) => setFilter(event.currentTarget.value)}
          />
        </label>
        <label class="check">
          <input
            type="checkbox"
            checked={onlyTrouble}
            onChange={(event) => setOnlyTrouble(event.currentTarget.checked)}
          />{" "}
          only with gaps or a low score
        </label>
        {isNarrow && (
          <label>
            <span class="hidden">Sort by</span>
            <select
              value={sort.key}
              onChange={({ currentTarget }) => {
                const key = COLUMNS.find((column) => column.key === currentTarget.value)?.key;
                if (key) setSort({ key, isReversed: false });
              }}
            >
              {COLUMNS.map(
                ({ key, title }) =>
                  key && (
                    <option key={key} value={key}>
                      by {title.toLowerCase()}
                    </option>
                  ),
              )}
            </select>
          </label>
        )}
        <span class="dim">{counted(rows.length, "market")}</span>
      </div>
      <Loaded
        asked={markets}
        isEmpty={(value) => value.length === 0}
        empty="Nothing is collected yet: name markets in configs/collector/, then run tickwell start."
      >
        {() =>
          isNarrow ? (
            <ul class="cards" ref={place} aria-label="Markets">
              {first > 0 && <Blank px={first * CARD_PX} />}
              {rows.slice(first, last).map((market) => (
                <Card key={market.market} market={market} price={prices.get(market.market)} />
              ))}
              {last < rows.length && <Blank px={(rows.length - last) * CARD_PX} />}
            </ul>
          ) : (
            <div class="scroll" ref={place} tabIndex={0} role="region" aria-label="Markets">
              <table class="markets" aria-rowcount={rows.length + 1}>
                <thead>
                  <tr>
                    {COLUMNS.map(({ key, title, hint, isNumber }) => (
                      <th
                        key={title}
                        class={isNumber ? "number" : ""}
                        title={hint}
                        aria-sort={
                          key === sort.key ? (sort.isReversed ? "descending" : "ascending") : undefined
                        }
                      >
                        {key === undefined ? (
                          title
                        ) : (
                          <button
                            class="sort"
                            onClick={() => setSort({ key, isReversed: key === sort.key && !sort.isReversed })}
                          >
                            {title}
                            {key === sort.key ? (sort.isReversed ? " ↑" : " ↓") : ""}
                          </button>
                        )}
                      </th>
                    ))}
                  </tr>
                </thead>
                <tbody>
                  {first > 0 && <Spacer rows={first} />}
                  {rows.slice(first, last).map((market, i) => (
                    <Row
                      key={market.market}
                      market={market}
                      price={prices.get(market.market)}
                      index={first + i}
                    />
                  ))}
                  {last < rows.length && <Spacer rows={rows.length - last} />}
                </tbody>
              </table>
            </div>
          )
        }
      </Loaded>
      <p class="legend dim">
        <span class="key s-covered" /> covered <span class="key s-void" /> void: the exchange has nothing
        there <span class="key s-repairing" /> repairing <span class="key s-gap" /> gap
      </p>
    </section>
  );
}

function Spacer({ rows }: { rows: number }): JSX.Element {
  return (
    <tr aria-hidden="true">
      <td
        colSpan={COLUMNS.length}
        ref={(cell) => void (cell && (cell.style.height = `${rows * ROW_PX}px`))}
        class="spacer"
      />
    </tr>
  );
}

/** How far what is in `place` is scrolled, in itself or with the page. */
function useScrollTop(): { place: (element: HTMLElement | null) => void; scrollTop: number } {
  const [element, setElement] = useState<HTMLElement | null>(null);
  const [scrollTop, setScrollTop] = useState(0);
  useEffect(() => {
    if (element === null) return;
    const read = (): void =>
      setScrollTop(element.scrollTop + Math.max(0, -element.getBoundingClientRect().top));
    read();
    element.addEventListener("scroll", read, { passive: true });
    addEventListener("scroll", read, { passive: true });
    return () => {
      element.removeEventListener("scroll", read);
      removeEventListener("scroll", read);
    };
  }, [element]);
  return { place: setElement, scrollTop };
}

function Blank({ px }: { px: number }): JSX.Element {
  return <li aria-hidden="true" ref={(item) => void (item && (item.style.height = `${px}px`))} />;
}

function Verdict({ status: { totals } }: { status: Status }): JSX.Element {
  const working = totals.pending_tasks + totals.running_tasks;
  if (totals.series === 0) return <>Nothing is collected yet</>;
  const outages = <Outages totals={totals} />;
  if (totals.open_gaps === 0 && totals.candles_missing === 0)
    return (
      <>
        <Badge state="good">The data is whole</Badge>{" "}
        <small>
          {formatCount(totals.candles_covered)} candles stored or proven void, in {formatCount(totals.series)}{" "}
          series of {counted(totals.markets, "market")}
          {outages}
        </small>
      </>
    );
  const candles = totals.candles_missing > 0 && (
    <a href={gapsHref("ohlcv")}>
      {counted(totals.candles_missing, "candle")} {totals.candles_missing === 1 ? "is" : "are"} missing
    </a>
  );
  const trades = totals.trade_gaps > 0 && (
    <a href={gapsHref("trades")}>
      {counted(totals.trade_gaps, "gap")} in trades {totals.trade_gaps === 1 ? "is" : "are"} open
    </a>
  );
  return (
    <>
      <Badge state={working > 0 ? "busy" : "warn"}>
        {candles}
        {candles && trades ? ", " : ""}
        {trades}
      </Badge>{" "}
      <small>
        {working > 0 ? (
          <a href="#/repairs">{counted(working, "repair")} under way</a>
        ) : (
          "on record, waiting for the next attempt"
        )}
        {totals.failed_tasks > 0 && (
          <>
            , <a href="#/repairs">{formatCount(totals.failed_tasks)} given up</a>
          </>
        )}
        {outages}
      </small>
    </>
  );
}

/** What is lost for good, beside what can be repaired. */
function Outages({ totals }: { totals: Status["totals"] }): JSX.Element | null {
  if (totals.book_outages_24h === 0) return null;
  return (
    <>
      ;{" "}
      <a href={gapsHref("orderbook")}>
        {counted(totals.book_outages_24h, "time")} without a valid order book in the last 24 h
      </a>{" "}
      ({formatDuration(totals.book_outage_ms_24h)})
    </>
  );
}

/** How much there is not, with the way to where it is listed. */
function absent(
  { market, series }: Market,
  dataType: Market["series"][number]["data_type"],
  count: number | undefined,
  words: (count: number) => string,
): ComponentChildren {
  if (count === undefined || !series.some(({ data_type }) => data_type === dataType)) return "–";
  return count === 0 ? "0" : <a href={gapsHref(dataType, market)}>{words(count)}</a>;
}

/** What a market's row or card says. */
function cellsOf(
  market: Market,
): Readonly<Record<"change" | "verified" | "missing" | "trades" | "book" | "behind", ComponentChildren>> {
  const { summary } = market;
  const change = summary?.change_24h_percent ?? null;
  return {
    change: change === null ? "–" : `${change >= 0 ? "+" : "−"}${Math.abs(change).toFixed(2)} %`,
    verified: formatPercent(summary?.verified_percent),
    missing: absent(market, "ohlcv", summary?.missing_candles, formatCount),
    trades: absent(market, "trades", summary?.trade_gaps, formatCount),
    book: absent(
      market,
      "orderbook",
      summary?.book_outages_24h,
      (count) => `${formatCount(count)}×, ${formatDuration(summary?.book_outage_ms_24h ?? 0)}`,
    ),
    behind:
      summary?.behind_ms === null || summary?.behind_ms === undefined
        ? "–"
        : formatDuration(summary.behind_ms),
  };
}

function MarketStrip({ market }: { market: Market }): JSX.Element | null {
  const { summary } = market;
  if (!summary) return null;
  const outages =
    summary.book_outages_24h === 0
      ? ""
      : `; ${counted(summary.book_outages_24h, "time")} without a valid order book, ${formatDuration(summary.book_outage_ms_24h)} together`;
  const trades = summary.trade_gaps === 0 ? "" : `; ${counted(summary.trade_gaps, "gap")} in trades`;
  return <Strip strip={summary.strip} more={`${trades}${outages}`} />;
}

function MarketScore({ market: { summary } }: { market: Market }): JSX.Element {
  if (summary?.score === null || summary?.score === undefined) return <>–</>;
  return (
    <span class={summary.is_valid === false ? "bad" : ""}>
      {summary.is_valid === false ? "✕ " : ""}
      {summary.score.toFixed(2)}
    </span>
  );
}

function MarketName({ market }: { market: Market }): JSX.Element {
  return (
    <>
      <a href={marketHref(market.market)}>{market.market}</a>
      {market.is_simulated && <span class="tag">simulated</span>}
      {!market.is_active && <span class="tag">suspended</span>}
    </>
  );
}

function Row({
  market,
  price,
  index,
}: {
  market: Market;
  price: string | undefined;
  index: number;
}): JSX.Element {
  // Prices come four times a second, all else every few seconds: only they are drawn that often.
  const name = useMemo(() => <MarketName market={market} />, [market]);
  const rest = useMemo(() => <Figures market={market} />, [market]);
  return (
    <tr aria-rowindex={index + 2}>
      <th scope="row">{name}</th>
      <td class="number">{price ?? market.summary?.last_price ?? "–"}</td>
      {rest}
    </tr>
  );
}

/** The cells behind the price. */
function Figures({ market }: { market: Market }): JSX.Element {
  const { summary } = market;
  const cells = cellsOf(market);
  return (
    <>
      <td class="number">{cells.change}</td>
      <td>
        <MarketStrip market={market} />
      </td>
      <td class="number">
        <MarketScore market={market} />
      </td>
      <td class="number">{cells.verified}</td>
      <td class="number">{cells.missing}</td>
      <td class="number">{cells.trades}</td>
      <td class="number">{cells.book}</td>
      <td class="number">{cells.behind}</td>
      <td class="event">
        {summary?.last_event && (
          <span title={summary.last_event.detail}>
            {summary.last_event.kind.replace("_", " ")}, <Ago iso={summary.last_event.time} />
          </span>
        )}
      </td>
    </>
  );
}

function Card({ market, price }: { market: Market; price: string | undefined }): JSX.Element {
  const cells = cellsOf(market);
  const figures: readonly (readonly [string, ComponentChildren])[] = [
    ["Score", <MarketScore market={market} />],
    ["Verified", cells.verified],
    ["Behind", cells.behind],
    ["Missing candles", cells.missing],
    ["Trade gaps", cells.trades],
    ["Without book", cells.book],
  ];
  return (
    <li class="card">
      <div class="head">
        <span>
          <MarketName market={market} />
        </span>
        <span class="number">
          {price ?? market.summary?.last_price ?? "–"} <span class="dim">{cells.change}</span>
        </span>
      </div>
      <MarketStrip market={market} />
      <dl>
        {figures.map(([title, value]) => (
          <div key={title}>
            <dt>{title}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
    </li>
  );
}
