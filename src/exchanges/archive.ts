// The contract for a venue's bulk files: whole days of candles as the venue has put them down for good. They are a third
// witness beside the stored candle and the one that the venue answers now.
import type { CandleCandidate } from "../core/model/candle.js";
import type { Timeframe } from "../core/timeframe.js";

export interface ArchiveRequest {
  readonly nativeSymbol: string;
  readonly timeframe: Timeframe;
  /** Midnight UTC at which the day begins, epoch ms. */
  readonly dayMs: number;
}

/** One day of candles. */
export interface ArchiveDay {
  /** In the file's order, nothing dropped. */
  readonly candidates: readonly CandleCandidate[];
  readonly url: string;
  /** Of the file as it came, in hex: venues replace files silently. */
  readonly sha256: string;
}

export interface CandleArchive {
  /**
   * A day's file.
   * @returns undefined when it is not published (yet)
   * @throws TickwellError when the last attempt failed; `malformed_payload` for a file that does not match its checksum or
   *   cannot be read; the signal's reason
   */
  fetchDay(request: ArchiveRequest, signal: AbortSignal): Promise<ArchiveDay | undefined>;
  /** Releases connections; requests under way fail. */
  close(): Promise<void>;
}
