// What is said of one order book's time: where it was valid, and where it was not and why. Claims never overlap, and never reach
// beyond an event whose time is believed (event-times.ts).
import type { BookOutage, BookOutageReason } from "../../../core/model/book.js";
import { intersectRanges, mergeRanges, subtractRanges, type TimeRange } from "../../../core/range.js";

/** An outage that goes on is told of this often, so that it is on record whatever becomes of this process. */
const TOLD_EVERY_MS = 60_000;
/** Two looks are a quarter of a second apart; where the exchange's clock as we reckon it moves by more, ours was set. */
const LEAP_MS = 5_000;

export class BookClaims {
  #isValid = false;
  /** From here to `#toMs` the book is valid and not claimed yet; undefined while it is not, or its time is not known. */
  #fromMs: number | undefined;
  #toMs = -Infinity;
  /** Nothing was claimed since it became valid. */
  #isFirst = false;
  /** Up to here everything is said. */
  #saidToMs: number;
  #outage: { startMs: number; reason: BookOutageReason; detail: string } | undefined;
  #valid: TimeRange[] = [];
  #outages: BookOutage[] = [];
  #look = { atMs: -Infinity, steadySinceMs: -Infinity };

  /** @param followedToMs where an earlier session ended: since then there was no book; undefined for the first one */
  constructor(followedToMs: number | undefined) {
    this.#saidToMs = followedToMs ?? -Infinity;
    if (followedToMs !== undefined)
      this.#outage = { startMs: followedToMs, reason: "disconnected", detail: "nothing was following it" };
  }

  /** The time of the last change; undefined while there is no valid book whose time is known. */
  get toMs(): number | undefined {
    return this.#fromMs === undefined ? undefined : this.#toMs;
  }

  /** From now on the time counts, with a book or without. */
  open(exchangeNowMs: number): void {
    if (this.#isValid) return;
    this.#outage ??= { startMs: exchangeNowMs, reason: "disconnected", detail: "not synchronised yet" };
  }

  /** @param timeMs of the change that has made it valid; undefined where it is not believed: a later one's counts */
  begin(timeMs: number | undefined): void {
    this.#isValid = true;
    this.reach(timeMs);
  }

  /** A change was applied. */
  reach(timeMs: number | undefined): void {
    if (timeMs === undefined || !this.#isValid) return;
    if (this.#fromMs !== undefined) {
      this.#toMs = Math.max(this.#toMs, timeMs);
      return;
    }
    const fromMs = Math.max(timeMs, this.#saidToMs);
    this.#closeOutage(fromMs);
    this.#fromMs = this.#toMs = fromMs;
    this.#isFirst = true;
  }

  end(reason: BookOutageReason, detail: string): void {
    this.#claim();
    if (this.#fromMs !== undefined) this.#outage = { startMs: this.#toMs, reason, detail };
    this.#isValid = false;
    this.#fromMs = undefined;
  }

  /** To be called at every look: an outage that goes on is told of now and then. */
  tell(exchangeNowMs: number): void {
    const { atMs, steadySinceMs } = this.#look;
    const hasLeapt = Math.abs(exchangeNowMs - atMs) > LEAP_MS;
    this.#look = { atMs: exchangeNowMs, steadySinceMs: hasLeapt ? exchangeNowMs : steadySinceMs };
    const outage = this.#outage;
    if (outage === undefined) return;
    // After a leap the clock is measured again within half a minute: until then nobody knows how late it is.
    if (exchangeNowMs - Math.max(outage.startMs, this.#look.steadySinceMs) < TOLD_EVERY_MS) return;
    this.#outages.push({ ...outage, endMs: exchangeNowMs });
    this.#saidToMs = exchangeNowMs;
    this.#outage = { ...outage, startMs: exchangeNowMs };
  }

  /** What was to be stored of this time was given up: it counts as a time without a book. */
  shed(range: TimeRange, detail: string): void {
    this.#claim();
    for (const part of intersectRanges(this.#valid, [range]))
      this.#outages.push({ ...part, reason: "shed", detail });
    this.#valid = subtractRanges(this.#valid, [range]);
  }

  /** The end: an outage that goes on is said up to now. */
  finish(exchangeNowMs: number): void {
    this.#closeOutage(exchangeNowMs);
  }

  /** What there is to say since the last call. */
  take(): { valid: readonly TimeRange[]; outages: readonly BookOutage[] } {
    this.#claim();
    const said = { valid: mergeRanges(this.#valid), outages: this.#outages };
    this.#valid = [];
    this.#outages = [];
    return said;
  }

  #claim(): void {
    if (this.#fromMs === undefined) return;
    // One instant counts as a millisecond, or a snapshot of it would lie in a time without a book.
    if (this.#isFirst) this.#toMs = Math.max(this.#toMs, this.#fromMs + 1);
    this.#isFirst = false;
    if (this.#toMs <= this.#fromMs) return;
    this.#valid.push({ startMs: this.#fromMs, endMs: this.#toMs });
    this.#fromMs = this.#saidToMs = this.#toMs;
  }

  #closeOutage(endMs: number): void {
    if (this.#outage && endMs > this.#outage.startMs) this.#outages.push({ ...this.#outage, endMs });
    this.#outage = undefined;
  }
}
