// Stored trades and order books as text: CSV with a header, or one JSON object a line. Decimals are copied digit for digit.
import { formatTime } from "../../core/time.js";
import type { StoredBook, StoredTrade } from "../../store/live-records.js";
import type { ExportFormat } from "./candle-text.js";

/** How one kind of record is written. */
export interface LiveText<T> {
  /** What stands above the records; empty for NDJSON. */
  header(format: ExportFormat): string;
  /** Records, each line ended. */
  lines(format: ExportFormat, records: readonly T[]): string;
}

export const TRADE_TEXT: LiveText<StoredTrade> = {
  header: (format) => (format === "csv" ? "time,trade_id,side,price,quantity,fills\n" : ""),
  lines: (format, trades) =>
    trades
      .map((trade) => {
        const time = formatMicroseconds(trade.timeMs, trade.microsecond);
        const { id, side, price, qty, fills } = trade;
        return format === "csv"
          ? `${time},${id},${side},${price},${qty},${fills}\n`
          : `${JSON.stringify({ time, trade_id: id, side, price, quantity: qty, fills })}\n`;
      })
      .join(""),
};

/** In CSV a side is `price:quantity` pairs, best first, parted by spaces: a spreadsheet has no lists. */
export const BOOK_TEXT: LiveText<StoredBook> = {
  header: (format) => (format === "csv" ? "time,sequence,bids,asks\n" : ""),
  lines: (format, books) =>
    books
      .map(({ timeMs, sequence, bids, asks }) =>
        format === "csv"
          ? `${formatTime(timeMs)},${sequence},${pairsOf(bids)},${pairsOf(asks)}\n`
          : `${JSON.stringify({ time: formatTime(timeMs), sequence, bids, asks })}\n`,
      )
      .join(""),
};

function pairsOf(levels: StoredBook["bids"]): string {
  return levels.map(([price, qty]) => `${price}:${qty}`).join(" ");
}

/** `2024-01-10T12:00:00.123456Z`; no more digits than there are. */
function formatMicroseconds(timeMs: number, microsecond: number): string {
  if (microsecond === 0) return formatTime(timeMs);
  return new Date(timeMs).toISOString().replace("Z", `${String(microsecond).padStart(3, "0")}Z`);
}
