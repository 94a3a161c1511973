// Stored candles as text: CSV with a header, or one JSON object a line. Decimals are copied digit for digit.
import { formatTime } from "../../core/time.js";
import type { StoredCandle } from "../../store/store.js";

export const EXPORT_FORMATS = ["csv", "ndjson"] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

/** What stands above the candles; empty for NDJSON. */
export function headerText(format: ExportFormat): string {
  return format === "csv"
    ? "open_time,open,high,low,close,volume,quote_volume,trade_count,source,revision\n"
    : "";
}

/** A page of candles, each line ended. No field needs quotes: numbers, times and `rest` or `import`. */
export function candlesText(format: ExportFormat, candles: readonly StoredCandle[]): string {
  const toLine = format === "csv" ? csvLine : jsonLine;
  return candles.map(toLine).join("");
}

function csvLine(candle: StoredCandle): string {
  const { open, high, low, close, volume, source, revision } = candle;
  return `${formatTime(candle.openTimeMs)},${open},${high},${low},${close},${volume},${candle.quoteVolume ?? ""},${candle.tradeCount ?? ""},${source},${revision}\n`;
}

function jsonLine(candle: StoredCandle): string {
  return `${JSON.stringify({
    open_time: formatTime(candle.openTimeMs),
    open: candle.open,
    high: candle.high,
    low: candle.low,
    close: candle.close,
    volume: candle.volume,
    quote_volume: candle.quoteVolume,
    trade_count: candle.tradeCount,
    source: candle.source,
    revision: candle.revision,
  })}\n`;
}
