// One market: its candles with gaps, voids and revisions, its order book and trades as they come in, and what its score is made of.
import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";
import {
  ask,
  askAll,
  type Book,
  type Gap,
  type Market,
  type Page,
  type Quality,
  type Trade,
} from "../api.js";
import { counted, formatCount, formatPercent, formatUtc, timeframeMs } from "../format.js";
import { useAddress, useAsked, useStream, useStreamOpenings } from "../hooks.js";
import { CandleChart } from "../parts/chart.js";
import { Badge, Loaded, marketHref, Time } from "../parts/common.js";
import { GapList } from "../parts/gap-list.js";

const LEVELS = 12;
const TRADES_SHOWN = 40;
/** Of those that can be made of minutes; any other in the address is shown too. */
const DERIVED_SHOWN: ReadonlySet<string> = new Set(["5m", "15m", "1h", "4h", "1d"]);

export function MarketPage({ name }: { name: string }): JSX.Element {
  const { parameters } = useAddress();
  const market = useAsked(
    async (signal) => {
      const page: Page<Market> = await ask("/markets", { market: name, include: "summary" }, { signal });
      const [only] = page.data;
      if (only === undefined) throw new Error(`there is no market ${name}`);
      return only;
    },
    { everyMs: 10_000, deps: [name] },
  );
  return (
    <section aria-labelledby="market-title">
      <h1 id="market-title">
        <a class="back" href="#/">
          Markets
        </a>{" "}
        {name}
      </h1>
      <Loaded asked={market}>
        {(value) => <Inside market={value} at={parameters.get("at")} wanted={parameters.get("timeframe")} />}
      </Loaded>
    </section>
  );
}

function Inside({
  market,
  at,
  wanted,
}: {
  market: Market;
  at: string | null;
  wanted: string | null;
}): JSX.Element {
  const stored = market.series.flatMap(({ data_type, timeframe }) =>
    data_type === "ohlcv" && timeframe ? [timeframe] : [],
  );
  const isDerived = (each: string): boolean => !stored.some((own) => own === each);
  const timeframes = [
    ...stored,
    ...market.derived_timeframes.filter((each) => DERIVED_SHOWN.has(each) || each === wanted),
  ].sort((a, b) => timeframeMs(a) - timeframeMs(b));
  const timeframe = timeframes.find((each) => each === wanted) ?? stored[0];
  const gaps = useAsked((signal) => askAll<Gap>("/gaps", { market: market.market, kind: "all" }, signal), {
    everyMs: 15_000,
    deps: [market.market],
  });
  const { again } = gaps;
  useStream("gaps", [market.market], () => again());
  const ofSeries = useMemo(
    // What longer candles lack are minutes.
    () =>
      (gaps.value ?? []).filter(
        (gap) => gap.timeframe === (timeframe && isDerived(timeframe) ? "1m" : timeframe),
      ),
    [gaps.value, timeframe],
  );
  const has = (dataType: string): boolean => market.series.some(({ data_type }) => data_type === dataType);
  return (
    <>
      {timeframe === undefined ? (
        <p class="state">No candles of this market are collected.</p>
      ) : (
        <>
          <div class="bar" role="group" aria-label="Timeframe">
            {timeframes.map((each) => (
              <a
                key={each}
                class={`tab ${each === timeframe ? "chosen" : ""}`}
                aria-current={each === timeframe ? "true" : undefined}
                title={isDerived(each) ? "made of stored 1m candles, whole ones only" : "stored"}
                href={marketHref(market.market, { timeframe: each })}
              >
                {each}
              </a>
            ))}
            {isDerived(timeframe) && <span class="dim">made of 1m, whole ones only</span>}
            <span class="dim">
              {ofSeries.some(({ kind }) => kind === "gap") ? (
                <Badge state="warn">
                  {counted(ofSeries.filter(({ kind }) => kind === "gap").length, "gap")}
                </Badge>
              ) : (
                <Badge state="good">no gaps</Badge>
              )}
            </span>
          </div>
          <CandleChart
            market={market.market}
            timeframe={timeframe}
            isDerived={isDerived(timeframe)}
            gaps={ofSeries}
            at={at}
          />
        </>
      )}
      <div class="columns">
        {has("orderbook") && <BookPanel market={market.market} />}
        {has("trades") && <Tape market={market.market} />}
        <Score market={market.market} />
        <section class="panel wide" id="gaps" aria-label="Gaps and voids">
          <h2>Gaps and voids</h2>
          <GapList gaps={gaps.value ?? []} rowsMax={200} isShort />
        </section>
      </div>
    </>
  );
}

function BookPanel({ market }: { market: string }): JSX.Element {
  const [book, setBook] = useState<Book | null>();
  const [why, setWhy] = useState<string | null>(null);
  useEffect(() => {
    const stop = new AbortController();
    ask<Page<Book>>("/book", { market, depth: LEVELS }, { signal: stop.signal })
      .then(({ data }) => setBook((before) => before ?? data[0] ?? null))
      .catch(() => undefined);
    return () => stop.abort();
  }, [market]);
  useStream("book", [market], (message) => {
    if (message.type !== "book") return;
    setBook(message.book);
    setWhy(message.detail);
  });
  return (
    <section class="panel" aria-label="Order book">
      <h2>
        Order book{" "}
        {book ? (
          <Badge state={book.is_valid ? "good" : "bad"}>{book.is_valid ? "valid" : "in doubt"}</Badge>
        ) : (
          <Badge state="warn">no valid book now</Badge>
        )}
      </h2>
      {book ? <Ladder book={book} /> : <p class="state">{why ?? "A book in doubt is never shown."}</p>}
      {book && (
        <p class="dim">
          sequence {book.sequence}, <Time iso={book.time} />
        </p>
      )}
    </section>
  );
}

function Ladder({ book }: { book: Book }): JSX.Element {
  const asks = book.asks.slice(0, LEVELS);
  const bids = book.bids.slice(0, LEVELS);
  const most = Math.max(...[...asks, ...bids].map(([, quantity]) => Number(quantity)), 1e-18);
  const row = ([price, quantity]: readonly [string, string], side: "ask" | "bid"): JSX.Element => (
    <tr key={`${side}${price}`} class={side}>
      <td>{side}</td>
      <td class="number">{price}</td>
      <td class="number">
        <meter min={0} max={most} value={Number(quantity)} aria-hidden="true" /> {quantity}
      </td>
    </tr>
  );
  return (
    <table class="ladder">
      <thead>
        <tr>
          <th>Side</th>
          <th class="number">Price</th>
          <th class="number">Quantity</th>
        </tr>
      </thead>
      <tbody>
        {asks.toReversed().map((level) => row(level, "ask"))}
        {bids.map((level) => row(level, "bid"))}
      </tbody>
    </table>
  );
}

/** What was asked for and what was told may overlap. */
function newestOnce(trades: readonly Trade[]): Trade[] {
  const once = new Map(trades.map((trade) => [trade.trade_id, trade]));
  return [...once.values()].sort((a, b) => b.trade_id - a.trade_id).slice(0, TRADES_SHOWN);
}

function Tape({ market }: { market: string }): JSX.Element {
  const [trades, setTrades] = useState<readonly Trade[]>([]);
  const openings = useStreamOpenings();
  useEffect(() => {
    const stop = new AbortController();
    ask<Page<Trade>>("/trades", { market, order: "desc", limit: TRADES_SHOWN }, { signal: stop.signal })
      .then(({ data }) => setTrades((before) => newestOnce([...before, ...data])))
      .catch(() => undefined);
    return () => stop.abort();
  }, [market, openings]);
  const waiting = useRef<Trade[]>([]);
  const frame = useRef<number>();
  useStream("trades", [market], (message) => {
    if (message.type !== "trades") return;
    waiting.current.push(...message.data);
    frame.current ??= requestAnimationFrame(() => {
      frame.current = undefined;
      const fresh = waiting.current.splice(0).reverse();
      setTrades((before) => newestOnce([...fresh, ...before]));
    });
  });
  return (
    <section class="panel" aria-label="Trades">
      <h2>Trades</h2>
      {trades.length === 0 ? (
        <p class="state">None yet.</p>
      ) : (
        <table class="tape">
          <thead>
            <tr>
              <th>Time</th>
              <th>Taker</th>
              <th class="number">Price</th>
              <th class="number">Quantity</th>
            </tr>
          </thead>
          <tbody>
            {trades.map((trade) => (
              <tr key={trade.trade_id} class={trade.side === "buy" ? "bid" : "ask"}>
                <td>
                  <time dateTime={trade.time} title={trade.time}>
                    {formatUtc(trade.time).slice(11)}
                  </time>
                </td>
                <td>{trade.side}</td>
                <td class="number">{trade.price}</td>
                <td class="number">{trade.quantity}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  );
}

/** Where in the chart a piece of evidence lies. */
function placeOf(evidence: Record<string, unknown>): string | undefined {
  const at = evidence.start ?? evidence.open_time ?? evidence.openTime;
  if (typeof at === "string") return at;
  const ms = evidence.openTimeMs ?? evidence.startMs;
  return typeof ms === "number" ? new Date(ms).toISOString() : undefined;
}

function Score({ market }: { market: string }): JSX.Element {
  const checks = useAsked(
    async (signal) => (await ask<Page<Quality>>("/quality", { market }, { signal })).data,
    { everyMs: 30_000, deps: [market] },
  );
  return (
    <section class="panel" aria-label="Score">
      <h2>Score</h2>
      <Loaded
        asked={checks}
        isEmpty={(value) => value.length === 0}
        empty="Not checked yet: the first check follows the first repairs."
      >
        {(value) => (
          <dl>
            {value.map((check) => (
              <div key={`${check.data_type} ${check.timeframe ?? ""}`}>
                <dt>
                  {check.timeframe ?? (check.data_type === "orderbook" ? "order book" : check.data_type)}:{" "}
                  <strong>{check.quality_score?.toFixed(2) ?? "–"}</strong>{" "}
                  <span class="dim">
                    verified {formatPercent(check.verified_percent)}, checked{" "}
                    <Time iso={check.check_time} seconds={false} />
                  </span>
                </dt>
                {check.deductions.map((deduction) => (
                  <dd key={deduction.metric}>
                    −{deduction.points.toFixed(2)} for {formatCount(deduction.count)} ×{" "}
                    {deduction.metric.replaceAll("_", " ")}
                    <ul>
                      {deduction.evidence.slice(0, 5).map((evidence, i) => {
                        const at = placeOf(evidence);
                        return (
                          <li key={i}>
                            {at === undefined ? (
                              JSON.stringify(evidence)
                            ) : (
                              <a
                                href={marketHref(market, {
                                  at,
                                  ...(check.timeframe ? { timeframe: check.timeframe } : {}),
                                })}
                              >
                                {formatUtc(at, false)}
                              </a>
                            )}
                          </li>
                        );
                      })}
                      {deduction.evidence.length + deduction.more > 5 && (
                        <li class="dim">
                          and {formatCount(deduction.evidence.length + deduction.more - 5)} more
                        </li>
                      )}
                    </ul>
                  </dd>
                ))}
                {check.deductions.length === 0 && <dd class="dim">nothing deducted</dd>}
              </div>
            ))}
          </dl>
        )}
      </Loaded>
    </section>
  );
}
