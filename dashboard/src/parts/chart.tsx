// Candles over any range: older ones are fetched as the chart is moved to them. Gaps and voids are bands behind the candles, a letter on
// each; revised and remarkable candles carry a mark.
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
import { formatDuration, formatUtc } from "../format.js";
import { useStream, useStreamOpenings } from "../hooks.js";

const PAGE = 1_000;
/** So many candles before the left edge, older ones are asked for. */
const MARGIN = 50;

function colour(name: string): string {
  return getComputedStyle(document.documentElement).getPropertyValue(name).trim();
}

const timeOf = (candle: Candle): UTCTimestamp => (Date.parse(candle.open_time) / 1_000) as UTCTimestamp;

/** The candles that are held, and the ways to get more. */
class Candles {
  readonly #rows = new Map<number, Candle>();
  isAtStart = false;

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
}

export function CandleChart({
  market,
  timeframe,
  gaps,
  at,
}: {
  market: string;
  timeframe: string;
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
    catchUp: () => void;
  }>();
  const latestGaps = useRef(gaps);
  latestGaps.current = gaps;
  const [legend, setLegend] = useState("");
  const [error, setError] = useState<string>();

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
    const draw = (): void => {
      const rows = candles.sorted();
      const lengthS = rows[1] && rows[0] ? timeOf(rows[1]) - timeOf(rows[0]) : 60;
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
      const marked: SeriesMarker<UTCTimestamp>[] = rows.flatMap((row): SeriesMarker<UTCTimestamp>[] => {
        const time = timeOf(row);
        if (row.revision > 0)
          return [{ time, position: "aboveBar", shape: "circle", color: colour("--warn"), text: "revised" }];
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
      });
      const [first, last] = [rows[0], rows.at(-1)];
      if (first && last)
        for (const gap of latestGaps.current) {
          const time = (Date.parse(gap.start) / 1_000) as UTCTimestamp;
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
    const load = async (parameters: Record<string, string | number>): Promise<readonly Candle[]> => {
      const page: Page<Candle> = await ask(
        "/candles",
        { market, timeframe, limit: PAGE, ...parameters },
        { signal: stop.signal },
      );
      candles.put(page.data);
      setError(undefined);
      draw();
      return page.data;
    };
    const report = (cause: unknown): void => {
      if (!stop.signal.aborted) setError(cause instanceof Error ? cause.message : String(cause));
    };
    let isLoading = true;
    const first =
      at === null
        ? load({ order: "desc" })
        : load({ to: new Date(Date.parse(at) + 1_000 * 60 * 300).toISOString(), order: "desc" });
    first
      .then((rows) => {
        isLoading = false;
        if (at === null)
          chart
            .timeScale()
            .setVisibleLogicalRange({ from: Math.max(0, rows.length - 180), to: rows.length + 5 });
        else {
          const middle = Date.parse(at) / 1_000;
          const lengthS = rows[1] && rows[0] ? Math.abs(timeOf(rows[1]) - timeOf(rows[0])) : 60;
          chart.timeScale().setVisibleRange({
            from: (middle - 60 * lengthS) as UTCTimestamp,
            to: (middle + 60 * lengthS) as UTCTimestamp,
          });
        }
      })
      .catch(report);
    chart.timeScale().subscribeVisibleLogicalRangeChange((range) => {
      if (range === null || isLoading || candles.isAtStart || range.from > MARGIN) return;
      const { firstMs } = candles;
      if (firstMs === undefined) return;
      isLoading = true;
      load({ to: new Date(firstMs).toISOString(), order: "desc" })
        .then((rows) => {
          candles.isAtStart = rows.length === 0;
          isLoading = false;
        })
        .catch(report);
    });
    chart.subscribeCrosshairMove(({ time, seriesData }) => {
      const bar = seriesData.get(price);
      if (typeof time !== "number" || bar === undefined || !("open" in bar)) return setLegend("");
      const iso = new Date(time * 1_000).toISOString();
      setLegend(`${formatUtc(iso, false)} UTC   O ${bar.open}  H ${bar.high}  L ${bar.low}  C ${bar.close}`);
    });
    const catchUp = (): void => void load({ order: "desc" }).catch(report);
    parts.current = { chart, price, volume, candles, draw, catchUp };
    return () => {
      stop.abort();
      parts.current = undefined;
      chart.remove();
    };
  }, [market, timeframe, at]);

  useEffect(() => parts.current?.draw(), [gaps]);
  const openings = useStreamOpenings();
  const drawnAt = useRef(openings);
  useEffect(() => {
    // Candles that closed while nobody told of them are no holes.
    if (drawnAt.current !== openings && at === null) parts.current?.catchUp();
    drawnAt.current = openings;
  }, [openings]);
  useStream("candles", [market], (message) => {
    if (message.type !== "candles" || message.timeframe !== timeframe) return;
    parts.current?.candles.put(message.data);
    parts.current?.draw();
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
        ) : legend === "" ? (
          "Times are UTC. Move or zoom to see more; older candles are fetched on the way."
        ) : (
          legend
        )}
      </figcaption>
    </figure>
  );
}
