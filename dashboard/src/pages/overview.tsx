// Every market a row. The first line says whether the data is whole.
import type { JSX } from "preact";
import { useMemo, useRef, useState } from "preact/hooks";
import { askAll, type Market, type Status } from "../api.js";
import { counted, formatCount, formatDuration, formatPercent } from "../format.js";
import { useAsked, useStream } from "../hooks.js";
import { Ago, Badge, Loaded, marketHref } from "../parts/common.js";
import { Strip } from "../parts/strip.js";

const ROW_PX = 38;
/** Rows above and below what is seen, so that scrolling meets no blank. */
const SPARE_ROWS = 8;

type SortKey = "market" | "score" | "verified" | "missing" | "behind" | "change";
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
  { key: "missing", title: "Missing", isNumber: true, hint: "candles" },
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
  const [scrollTop, setScrollTop] = useState(0);
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
  const first = Math.max(0, Math.floor(scrollTop / ROW_PX) - SPARE_ROWS);
  const last = Math.min(rows.length, first + Math.ceil(innerHeight / ROW_PX) + 2 * SPARE_ROWS);
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
        <span class="dim">{formatCount(rows.length)} markets</span>
      </div>
      <Loaded
        asked={markets}
        isEmpty={(value) => value.length === 0}
        empty="Nothing is collected yet: name markets in configs/collector/, then run tickwell start."
      >
        {() => (
          <div
            class="scroll"
            onScroll={(event) => setScrollTop(event.currentTarget.scrollTop)}
            tabIndex={0}
            role="region"
            aria-label="Markets"
          >
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
        )}
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

function Verdict({ status: { totals } }: { status: Status }): JSX.Element {
  const missing = totals.candles_missing;
  const working = totals.pending_tasks + totals.running_tasks;
  if (totals.series === 0) return <>Nothing is collected yet</>;
  if (totals.open_gaps === 0 && missing === 0)
    return (
      <>
        <Badge state="good">The data is whole</Badge>{" "}
        <small>
          {formatCount(totals.candles_covered)} candles stored or proven void, in {formatCount(totals.series)}{" "}
          series of {counted(totals.markets, "market")}
          <Outages count={totals.book_outages_24h} />
        </small>
      </>
    );
  return (
    <>
      <Badge state={working > 0 ? "busy" : "warn"}>
        {missing > 0
          ? `${counted(missing, "candle")} ${missing === 1 ? "is" : "are"} missing`
          : `${counted(totals.open_gaps, "gap")} ${totals.open_gaps === 1 ? "is" : "are"} open`}
      </Badge>{" "}
      <small>
        {missing > 0 ? `on record in ${counted(totals.open_gaps, "gap")}` : "on record"};{" "}
        {working > 0 ? `${counted(working, "repair")} under way` : "waiting for the next attempt"}
        {totals.failed_tasks > 0 ? `, ${formatCount(totals.failed_tasks)} given up` : ""}
        <Outages count={totals.book_outages_24h} />
      </small>
    </>
  );
}

/** What is lost for good, beside what can be repaired. */
function Outages({ count }: { count: number }): JSX.Element | null {
  return count === 0 ? null : <>; {counted(count, "time")} without a valid order book in the last 24 h</>;
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
  const { summary } = market;
  const change = summary?.change_24h_percent ?? null;
  return (
    <tr aria-rowindex={index + 2}>
      <th scope="row">
        <a href={marketHref(market.market)}>{market.market}</a>
        {market.is_simulated && <span class="tag">simulated</span>}
        {!market.is_active && <span class="tag">suspended</span>}
      </th>
      <td class="number">{price ?? summary?.last_price ?? "–"}</td>
      <td class="number">
        {change === null ? "–" : `${change >= 0 ? "+" : "−"}${Math.abs(change).toFixed(2)} %`}
      </td>
      <td>{summary && <Strip strip={summary.strip} />}</td>
      <td class="number">
        {summary?.score === null || summary?.score === undefined ? (
          "–"
        ) : (
          <span class={summary.is_valid === false ? "bad" : ""}>
            {summary.is_valid === false ? "✕ " : ""}
            {summary.score.toFixed(2)}
          </span>
        )}
      </td>
      <td class="number">{formatPercent(summary?.verified_percent)}</td>
      <td class="number">{summary ? formatCount(summary.missing_candles) : "–"}</td>
      <td class="number">
        {summary?.behind_ms === null || summary?.behind_ms === undefined
          ? "–"
          : formatDuration(summary.behind_ms)}
      </td>
      <td class="event">
        {summary?.last_event && (
          <span title={summary.last_event.detail}>
            {summary.last_event.kind.replace("_", " ")}, <Ago iso={summary.last_event.time} />
          </span>
        )}
      </td>
    </tr>
  );
}
