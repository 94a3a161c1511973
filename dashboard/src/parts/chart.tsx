// Candles over any range: older and newer ones are fetched as the chart is moved to them. What is missing keeps its place in time and
// is marked; revised and remarkable candles carry a mark. Candles made of minutes are asked for anew as their minutes come in, for the
// stream tells of stored ones only.
import {
  CandlestickSeries,
  createChart,
  createSeriesMarkers,
  HistogramSeries,
  type IChartApi,
  type ISeriesApi,
  type SeriesMarker,
  type UTCTimestamp,
} from "lightweight-charts";
import type { JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import { ask, type Candle, type Gap, type Page } from "../api.js";
import { floorToTimeframe, formatDuration, formatUtc, timeframeMs } from "../format.js";
import { useStream, useStreamOpenings } from "../hooks.js";

const PAGE = 1_000;
/** Of candles made of minutes: a day has 1,440 of them, which the database adds up. */
const DERIVED_PAGE = 300;
/** So many candles before an edge, those beyond are asked for. */
const MARGIN = 50;
/** Minutes that come in together are one question. */
const GATHER_MS = 1_000;

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

const timeOf = (candle: Candle): UTCTimestamp => (Date.parse(candle.open_time) / 1_000) as UTCTimestamp;

/** The candles that are held, and the ways to get more. */
class Candles {
  readonly #rows = new Map<number, Candle>();
  isAtStart = false;
  isAtEnd = false;

  put(rows: readonly Candle[]): void {
    for (const row of rows) this.#rows.set(timeOf(row), row);
  }

  sorted(): Candle[] {
    return [...this.#rows.values()].sort((a, b) => timeOf(a) - timeOf(b));
  }

  get firstMs(): number | undefined {
    const [first] = this.sorted();
    return first && Date.parse(first.open_time);
  }

  get lastMs(): number | undefined {
    const last = this.sorted().at(-1);
    return last && Date.parse(last.open_time);
  }
}

export function CandleChart({
  market,
  timeframe,
  isDerived,
  gaps,
  at,
}: {
  market: string;
  timeframe: string;
  /** Made of minutes. */
  isDerived: boolean;
  gaps: readonly Gap[];
  at: string | null;
}): JSX.Element {
  const place = useRef<HTMLDivElement>(null);
  const parts = useRef<{
    chart: IChartApi;
    price: ISeriesApi<"Candlestick">;
    volume: ISeriesApi<"Histogram">;
    candles: Candles;
    draw: () => void;
    load: (parameters: Record<string, string>) => void;
  }>();
  const latestGaps = useRef(gaps);
  latestGaps.current = gaps;
  const [legend, setLegend] = useState("");
  const [error, setError] = useState<string>();
  const [isEmpty, setIsEmpty] = useState(false);

  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    const stop = new AbortController();
    const text = colour("--text");
    const line = colour("--line");
    const chart = createChart(element, {
      autoSize: true,
      layout: {
        background: { color: "transparent" },
        textColor: text,
        fontFamily: "inherit",
        attributionLogo: false,
      },
      grid: { vertLines: { color: line }, horzLines: { color: line } },
      timeScale: { timeVisible: true, secondsVisible: false, borderColor: line },
      rightPriceScale: { borderColor: line },
    });
    const price = chart.addSeries(CandlestickSeries, {
      upColor: colour("--up"),
      downColor: colour("--down"),
      wickUpColor: colour("--up"),
      wickDownColor: colour("--down"),
      borderVisible: false,
    });
    const volume = chart.addSeries(HistogramSeries, {
      priceScaleId: "volume",
      color: line,
      priceFormat: { type: "volume" },
    });
    chart.priceScale("volume").applyOptions({ scaleMargins: { top: 0.85, bottom: 0 } });
    const marks = createSeriesMarkers(price, []);
    const candles = new Candles();
    candles.isAtEnd = at === null;
    const lengthMs = timeframeMs(timeframe);
    const lengthS = lengthMs / 1_000;
    const limit = isDerived ? DERIVED_PAGE : PAGE;
    const draw = (): void => {
      const rows = candles.sorted();
      const data: (
        | { time: UTCTimestamp }
        | { time: UTCTimestamp; open: number; high: number; low: number; close: number }
      )[] = [];
      let before: UTCTimestamp | undefined;
      for (const row of rows) {
        const time = timeOf(row);
        // A hole keeps its place in time, as far as that can be drawn.
        if (before !== undefined)
          for (let hole = before + lengthS, n = 0; hole < time && n < 5_000; hole += lengthS, n++)
            data.push({ time: hole as UTCTimestamp });
        data.push({
          time,
          open: Number(row.open),
          high: Number(row.high),
          low: Number(row.low),
          close: Number(row.close),
        });
        before = time;
      }
      price.setData(data);
      volume.setData(
        rows.map((row) => ({
          time: timeOf(row),
          value: Number(row.volume),
          color: Number(row.close) >= Number(row.open) ? colour("--up-soft") : colour("--down-soft"),
        })),
      );
      // A mark of each minute would be one on every day.
      const marked: SeriesMarker<UTCTimestamp>[] = (isDerived ? [] : rows).flatMap(
        (row): SeriesMarker<UTCTimestamp>[] => {
          const time = timeOf(row);
          if (row.revision > 0)
            return [
              { time, position: "aboveBar", shape: "circle", color: colour("--warn"), text: "revised" },
            ];
          if (row.flags !== 0)
            return [
              {
                time,
                position: "aboveBar",
                shape: "arrowDown",
                color: colour("--warn"),
                text: row.flags & 1 ? "jump" : row.flags & 2 ? "volume" : "broken",
              },
            ];
          return [];
        },
      );
      const [first, last] = [rows[0], rows.at(-1)];
      if (first && last)
        for (const gap of latestGaps.current) {
          const time = (floorToTimeframe(Date.parse(gap.start), timeframe) / 1_000) as UTCTimestamp;
          if (time < timeOf(first) || time > timeOf(last)) continue;
          marked.push({
            time,
            position: "belowBar",
            shape: gap.kind === "gap" ? "square" : "circle",
            color: colour(gap.kind === "gap" ? "--gap" : "--void"),
            text: `${gap.kind} ${formatDuration(Date.parse(gap.end) - Date.parse(gap.start))}`,
          });
        }
      marks.setMarkers(marked.sort((a, b) => a.time - b.time));
    };
    const load = async (parameters: Record<string, string>): Promise<readonly Candle[]> => {
      const page: Page<Candle> = await ask(
        "/candles",
        { market, timeframe, limit, ...parameters },
        { signal: stop.signal },
      );
      candles.put(page.data);
      setIsEmpty(candles.lastMs === undefined);
      setError(undefined);
      draw();
      return page.data;
    };
    const report = (cause: unknown): void => {
      if (!stop.signal.aborted) setError(cause instanceof Error ? cause.message : String(cause));
    };
    const scale = chart.timeScale();
    /** Candles and holes from the first to the last. */
    const slots = (): number =>
      ((candles.lastMs ?? 0) - (candles.firstMs ?? 0)) / lengthMs + (candles.lastMs === undefined ? 0 : 1);
    let isLoading = true;
    // What the chart is told to show, it shows a frame later; until then it tells of what it showed before.
    const settle = (): void =>
      void requestAnimationFrame(() => requestAnimationFrame(() => (isLoading = false)));
    const first =
      at === null
        ? load({ order: "desc" })
        : load({ to: new Date(Date.parse(at) + (limit / 2) * lengthMs).toISOString(), order: "desc" });
    first
      .then((rows) => {
        if (at === null) scale.setVisibleLogicalRange({ from: Math.max(0, slots() - 180), to: slots() + 5 });
        else if (rows.length > 0) {
          const middle = Date.parse(at) / 1_000;
          scale.setVisibleRange({
            from: (middle - 60 * lengthS) as UTCTimestamp,
            to: (middle + 60 * lengthS) as UTCTimestamp,
          });
        }
        settle();
      })
      .catch(report);
    /** What is seen stays where it is. */
    const loadBeyond = async (parameters: Record<string, string>): Promise<number> => {
      isLoading = true;
      const seen = scale.getVisibleRange();
      const rows = await load(parameters);
      if (seen !== null) scale.setVisibleRange(seen);
      settle();
      return rows.length;
    };
    scale.subscribeVisibleLogicalRangeChange(() => {
      // Told late: what it was told with may be over by now.
      const range = scale.getVisibleLogicalRange();
      const { firstMs, lastMs } = candles;
      if (range === null || isLoading || firstMs === undefined || lastMs === undefined) return;
      if (!candles.isAtStart && range.from < MARGIN)
        loadBeyond({ to: new Date(firstMs).toISOString(), order: "desc" })
          .then((rows) => (candles.isAtStart = rows === 0))
          .catch(report);
      else if (!candles.isAtEnd && range.to > slots() - MARGIN)
        loadBeyond({ from: new Date(lastMs + lengthMs).toISOString() })
          .then((rows) => (candles.isAtEnd = rows < limit))
          .catch(report);
    });
    chart.subscribeCrosshairMove(({ time, seriesData }) => {
      const bar = seriesData.get(price);
      if (typeof time !== "number" || bar === undefined || !("open" in bar)) return setLegend("");
      const iso = new Date(time * 1_000).toISOString();
      setLegend(`${formatUtc(iso, false)} UTC   O ${bar.open}  H ${bar.high}  L ${bar.low}  C ${bar.close}`);
    });
    parts.current = {
      chart,
      price,
      volume,
      candles,
      draw,
      load: (parameters) => void load(parameters).catch(report),
    };
    return () => {
      stop.abort();
      parts.current = undefined;
      chart.remove();
    };
  }, [market, timeframe, isDerived, at]);

  useEffect(() => parts.current?.draw(), [gaps]);
  const openings = useStreamOpenings();
  const drawnAt = useRef(openings);
  useEffect(() => {
    // Candles that closed while nobody told of them are no holes.
    if (drawnAt.current !== openings && parts.current?.candles.isAtEnd) parts.current.load({ order: "desc" });
    drawnAt.current = openings;
  }, [openings]);
  const gathering = useRef<{ fromMs: number; toMs: number }>();
  useStream("candles", [market], (message) => {
    if (message.type !== "candles" || message.timeframe !== (isDerived ? "1m" : timeframe)) return;
    const { current } = parts;
    if (!current) return;
    // One that lies beyond what is shown would leave a hole that is none.
    const { lastMs, isAtEnd } = current.candles;
    const fresh = message.data.filter(({ open_time: at }) => isAtEnd || Date.parse(at) <= (lastMs ?? -1));
    if (fresh.length === 0) return;
    if (!isDerived) {
      current.candles.put(fresh);
      current.draw();
      return;
    }
    const times = fresh.map(({ open_time: at }) => Date.parse(at));
    const fromMs = Math.min(...times, gathering.current?.fromMs ?? Infinity);
    const toMs = Math.max(...times, gathering.current?.toMs ?? -Infinity);
    if (gathering.current === undefined)
      setTimeout(() => {
        const range = gathering.current;
        gathering.current = undefined;
        if (range)
          parts.current?.load({
            from: new Date(floorToTimeframe(range.fromMs, timeframe)).toISOString(),
            to: new Date(range.toMs + 1).toISOString(),
          });
      }, GATHER_MS);
    gathering.current = { fromMs, toMs };
  });
  return (
    <figure class="chart">
      <div
        ref={place}
        class="plot"
        role="img"
        aria-label={`Candles of ${market}, ${timeframe}; the figures are at api/v1/candles`}
      />
      <figcaption class="dim">
        {error ? (
          <span class="bad">{error}</span>
        ) : isEmpty ? (
          isDerived ? (
            `No ${timeframe} is whole yet: one is made when all of its minutes are stored or proven void.`
          ) : (
            "No candles are stored yet."
          )
        ) : legend === "" ? (
          "Times are UTC. Move or zoom to see more; older candles are fetched on the way."
        ) : (
          legend
        )}
      </figcaption>
    </figure>
  );
}
