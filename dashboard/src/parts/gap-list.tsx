// Gaps and voids, the newest first: where, how long, why, and what is done about it.
import type { JSX } from "preact";
import type { Gap } from "../api.js";
import { formatCount, formatDuration, formatUtc } from "../format.js";
import { Badge, marketHref, Time } from "./common.js";

const DATA: Readonly<Record<Gap["data_type"], string>> = {
  ohlcv: "candles",
  trades: "trades",
  orderbook: "order book",
};

export function GapList({
  gaps,
  rowsMax,
  hasMarkets = false,
  isShort = false,
}: {
  gaps: readonly Gap[];
  rowsMax: number;
  /** Of several markets, and gaps only: the market is named instead of the kind. */
  hasMarkets?: boolean;
  isShort?: boolean;
}): JSX.Element {
  if (gaps.length === 0)
    return (
      <p class="state">
        <Badge state="good">none</Badge>
      </p>
    );
  const newest = gaps.toSorted((a, b) => (a.start < b.start ? 1 : -1)).slice(0, rowsMax);
  return (
    <>
      <div
        class={`scroll ${isShort ? "short" : ""}`}
        tabIndex={0}
        role="region"
        aria-label="List of gaps and voids"
      >
        <table>
          <thead>
            <tr>
              <th>{hasMarkets ? "Market" : "Kind"}</th>
              <th>Data</th>
              <th>From (UTC)</th>
              <th class="number">Length</th>
              <th class="number">Records</th>
              <th>Why</th>
              <th>Repair</th>
            </tr>
          </thead>
          <tbody>
            {newest.map((gap) => (
              <tr key={`${gap.market} ${gap.data_type} ${gap.timeframe ?? ""} ${gap.start}`}>
                <td>
                  {hasMarkets ? (
                    <a href={marketHref(gap.market)}>{gap.market}</a>
                  ) : (
                    <Badge state={gap.kind === "gap" ? "warn" : "none"}>{gap.kind}</Badge>
                  )}
                </td>
                <td>{gap.timeframe ?? DATA[gap.data_type]}</td>
                <td>
                  {gap.timeframe === null ? (
                    <Time iso={gap.start} />
                  ) : (
                    <a href={marketHref(gap.market, { at: gap.start, timeframe: gap.timeframe })}>
                      {formatUtc(gap.start, false)}
                    </a>
                  )}
                </td>
                <td class="number">{formatDuration(Date.parse(gap.end) - Date.parse(gap.start))}</td>
                <td class="number">{gap.records === null ? "–" : formatCount(gap.records)}</td>
                <td title={gap.detail ?? ""}>
                  {gap.reason?.replaceAll("_", " ") ??
                    (gap.kind === "void" ? "the exchange has nothing there" : "not fetched yet")}
                </td>
                <td>
                  {gap.task
                    ? `task ${gap.task.id}: ${gap.task.status}`
                    : gap.data_type === "orderbook"
                      ? "none: no exchange keeps past books"
                      : ""}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {gaps.length > rowsMax && (
        <p class="dim">
          The newest {formatCount(rowsMax)} of {formatCount(gaps.length)}; the rest is at{" "}
          <a href="api/v1/gaps?kind=all">api/v1/gaps</a>.
        </p>
      )}
    </>
  );
}
