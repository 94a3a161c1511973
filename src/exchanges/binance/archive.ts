// Binance's daily files of candles at data.binance.vision. In: a symbol and a day. Out: the rows of its ZIP, checked
// against the checksum published beside it.
import { createHash } from "node:crypto";
import type { Clock } from "../../core/clock.js";
import { TickwellError } from "../../core/fault.js";
import type { CandleCandidate } from "../../core/model/candle.js";
import { HttpClient, type HttpBytesResponse } from "../../core/net/http-client.js";
import type { Random } from "../../core/random.js";
import { retryWithBackoff, type RetryLimits } from "../../core/retry.js";
import { formatTime } from "../../core/time.js";
import { openZipEntry } from "../../core/zip-entry.js";
import type { ArchiveDay, ArchiveRequest, CandleArchive } from "../archive.js";
import { sha256OfChecksum } from "../../core/checksum-file.js";
import { readRetryAfter } from "../../core/net/retry-after.js";

export interface BinanceArchiveOptions {
  /** Another host, for tests. */
  readonly baseUrl?: string | undefined;
  /** Spot, or futures settled in a stable coin. */
  readonly folder: "spot" | "futures/um";
  /** For one file, from connecting to the last byte. */
  readonly timeoutMs: number;
  readonly retry: RetryLimits;
  readonly clock: Clock;
  readonly random: Random;
}

const BASE_URL = "https://data.binance.vision";
/** A day of 1m candles has some 60 kB packed and 200 kB unpacked. */
const ZIP_BYTES_MAX = 8 * 1024 ** 2;
const CSV_BYTES_MAX = 32 * 1024 ** 2;
const DAY_MS = 86_400_000;
const SAMPLE_CHARS_MAX = 200;
const NOT_FOUND = 404;
/** A file is wanted today; who asks for more time than this is not taken at his word. */
const PAUSE_MS_MAX = 3_600_000;

export class BinanceArchive implements CandleArchive {
  readonly #options: BinanceArchiveOptions;
  readonly #http = new HttpClient();

  constructor(options: BinanceArchiveOptions) {
    this.#options = options;
  }

  /**
   * 1. The ZIP; 404 means that it is not published yet (a day comes the next morning, some come a week late).
   * 2. Its `.CHECKSUM`; without one the file is not complete either.
   * 3. Compare, unpack, read. A file that was replaced between 1 and 2 does not match: then both are fetched again.
   */
  async fetchDay(request: ArchiveRequest, signal: AbortSignal): Promise<ArchiveDay | undefined> {
    const { clock, random, retry } = this.#options;
    const url = this.#urlOf(request);
    return retryWithBackoff(() => this.#fetch(url, signal), { ...retry, clock, random, signal });
  }

  close(): Promise<void> {
    return this.#http.close();
  }

  #urlOf({ nativeSymbol, timeframe, dayMs }: ArchiveRequest): string {
    const { baseUrl = BASE_URL, folder } = this.#options;
    const symbol = encodeURIComponent(nativeSymbol);
    const day = formatTime(Math.floor(dayMs / DAY_MS) * DAY_MS).slice(0, 10);
    return `${baseUrl.replace(/\/+$/, "")}/data/${folder}/daily/klines/${symbol}/${timeframe}/${symbol}-${timeframe}-${day}.zip`;
  }

  async #fetch(url: string, signal: AbortSignal): Promise<ArchiveDay | undefined> {
    const archive = await this.#get(url, signal);
    if (archive === undefined) return undefined;
    const checksum = await this.#get(`${url}.CHECKSUM`, signal);
    if (checksum === undefined) return undefined;
    const published = sha256OfChecksum(checksum.toString("utf8"));
    const sha256 = createHash("sha256").update(archive).digest("hex");
    if (published !== sha256) {
      throw malformed(url, `its sha256 is ${sha256}, published is ${published ?? "none that can be read"}`);
    }
    const entry = openZipEntry(archive, { subject: url, bytesMax: CSV_BYTES_MAX });
    const chunks: Buffer[] = [];
    for await (const chunk of entry.chunks) chunks.push(chunk);
    return { candidates: readArchiveRows(Buffer.concat(chunks).toString("utf8"), url), url, sha256 };
  }

  async #get(url: string, signal: AbortSignal): Promise<Buffer | undefined> {
    const { timeoutMs } = this.#options;
    const response = await this.#http.getBytes(url, { timeoutMs, signal, bodyBytesMax: ZIP_BYTES_MAX });
    if (response.status === NOT_FOUND) return undefined;
    if (response.status === 200) return response.bytes;
    throw refusal(url, response, this.#options.clock.nowMs());
  }
}

function refusal(url: string, { status, header }: HttpBytesResponse, receivedMs: number): TickwellError {
  const message = `${url}: answered HTTP ${status}`;
  if (status === 429) {
    const retryAfterMs = readRetryAfter(header("retry-after"), { receivedMs, maxMs: PAUSE_MS_MAX });
    return new TickwellError({ kind: "rate_limit", retryAfterMs }, message);
  }
  if (status >= 500) return new TickwellError({ kind: "exchange", code: String(status) }, message);
  if (status === 451) return new TickwellError({ kind: "geo_blocked" }, message);
  return new TickwellError({ kind: "bad_request", code: String(status) }, message);
}

/** From this magnitude on a time is in microseconds: spot files are since 2025-01-01. */
const MICROSECONDS_FROM = 1e14;
const FIELDS_MIN = 9;

/**
 * Rows of a daily file: open time, open, high, low, close, volume, close time, quote volume, trades, and more. Files of
 * futures have a header since 2022.
 * @throws TickwellError `malformed_payload` for a row without readable fields: the checksum fits, so it is our reading
 */
function readArchiveRows(text: string, url: string): CandleCandidate[] {
  const lines = text.split(/\r?\n/).filter((line) => line !== "");
  const isHeader = lines[0] !== undefined && !/^\d/.test(lines[0]);
  return lines.slice(isHeader ? 1 : 0).map((line, i) => {
    const [time = "", open, high, low, close, volume, , quoteVolume, trades = ""] = line.split(",");
    if (line.split(",").length < FIELDS_MIN || !/^\d{12,16}$/.test(time) || !/^\d+$/.test(trades)) {
      throw malformed(
        url,
        `row ${i + 1} is "${line.slice(0, SAMPLE_CHARS_MAX)}", expected open time, prices, volumes, trades`,
        line,
      );
    }
    const openTime = Number(time);
    return {
      openTimeMs: openTime >= MICROSECONDS_FROM ? Math.floor(openTime / 1_000) : openTime,
      open,
      high,
      low,
      close,
      volume,
      quoteVolume,
      tradeCount: Number(trades),
      raw: line,
    };
  });
}

function malformed(url: string, problem: string, sample = ""): TickwellError {
  return new TickwellError(
    { kind: "malformed_payload", path: url, sample: sample.slice(0, SAMPLE_CHARS_MAX) },
    `${url}: ${problem}`,
  );
}
