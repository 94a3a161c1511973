// One market's order book, live: synchronised, checked at every step, and never served while in doubt.
//
//   empty ──first change (books that start from REST)──> buffering ──page──> valid
//     └────────snapshot of the stream──────────────────────────────────────> valid ──anything wrong──> empty or buffering
//
// In: changes as they arrive, pages of REST as they are answered, what became of the stream. Out: snapshots of the best
// levels, the times with a valid book, and the times without one with the reason. A book that goes wrong asks for a page or
// a new subscription by itself; the venue's own rules say what continues it (exchanges/<venue>/book-rules.ts).
import assert from "node:assert/strict";
import type {
  BookDelta,
  BookLevel,
  BookOutage,
  BookOutageReason,
  BookPage,
  BookSnapshot,
  BookUpdate,
  WireLevel,
} from "../../../core/model/book.js";
import { parseDecimal, type Decimal } from "../../../core/decimal.js";
import type { Rejection } from "../../../core/model/candle-batch.js";
import type { BookBatch } from "../../../core/model/record-batch.js";
import { multiplyDecimals } from "../../../core/multiply-decimals.js";
import type { TimeRange } from "../../../core/range.js";
import type { BookRules } from "../../../exchanges/book-rules.js";
import { OrderBook } from "../../fold/order-book.js";
import { BookWitness } from "./book-witness.js";
import { LiveCounts } from "./live-counts.js";

export interface BookKeeperOptions {
  readonly marketId: number;
  readonly rules: BookRules;
  /** Base units of one contract; undefined where quantities are in base units. */
  readonly contractSize: Decimal | undefined;
  /** Levels a side of the snapshots that are stored. */
  readonly levels: number;
  /** Between two stored snapshots, ms of the exchange's time. */
  readonly snapshotEveryMs: number;
  readonly keepsDeltas: boolean;
  /** Where an earlier session ended: since then there was no book. Undefined for a market that was never followed. */
  readonly followedToMs?: number | undefined;
  /** A page of REST is needed; {@link BookKeeper.onPage} takes it. Asked once, until it is answered. */
  readonly requestPage: () => void;
  /** The stream has to begin anew with a snapshot. */
  readonly resubscribe: () => void;
}

/** Where a change came from, and when. */
export interface BookArrival {
  readonly connectionId: number;
  /** Our clock, epoch ms. */
  readonly receivedMs: number;
  /** The exchange's clock as we reckon it: the time of changes that carry none. */
  readonly exchangeNowMs: number;
}

/** Changes that wait for a page: half a minute at ten a second and then some. Beyond it the page comes too late. */
const BUFFER_MAX = 1_000;
/** What is held between two batches; beyond it the oldest are dropped, and counted. Minutes of a store that is away. */
const SNAPSHOTS_HELD_MAX = 500;
const DELTAS_HELD_MAX = 5_000;
/** Between the last change of one connection and the snapshot of the next: what is under way on both. */
const OVERLAP_MS = 1_000;
/** An exchange's time further from its clock than this is none: ours is taken. */
const TIME_OFF_MS = 600_000;
/** A stream that promised a snapshot has sent it within a second or two; after this REST is asked. */
const SNAPSHOT_WAIT_MS = 5_000;

type State = "empty" | "buffering" | "valid";

export class BookKeeper {
  readonly #options: BookKeeperOptions;
  readonly #book = new OrderBook();
  readonly #counts = new LiveCounts();
  readonly #witness = new BookWitness();
  #state: State = "empty";
  #lastId = -1;
  /** The connection whose changes are followed, where the stream itself began the book. */
  #connectionId: number | undefined;
  #buffer: BookUpdate[] = [];
  #isPageAsked = false;
  /** The page the book was set to, while no change has continued it yet. */
  #page: BookPage | undefined;
  /** When the channel was opened without a snapshot having come since. */
  #waitingSinceMs: number | undefined;
  #validFromMs = 0;
  /** The time of the last change applied: up to here the book is proven. */
  #validToMs = 0;
  #outage: { startMs: number; reason: BookOutageReason; detail: string } | undefined;
  #hasBeenValid = false;
  #nextSnapshotMs = -Infinity;
  #snapshots: BookSnapshot[] = [];
  #deltas: BookDelta[] = [];
  #valid: TimeRange[] = [];
  #outages: BookOutage[] = [];
  #rejected: Rejection[] = [];
  #receivedMs = 0;

  constructor(options: BookKeeperOptions) {
    this.#options = options;
    const { followedToMs } = options;
    if (followedToMs !== undefined)
      this.#outage = { startMs: followedToMs, reason: "disconnected", detail: "nothing was following it" };
  }

  get isValid(): boolean {
    return this.#state === "valid";
  }

  /** The best levels at the last change, quantities as the venue counts them; undefined while the book is not valid. */
  top(
    levels: number,
  ): { sequence: number; timeMs: number; bids: WireLevel[]; asks: WireLevel[] } | undefined {
    if (this.#state !== "valid") return undefined;
    return { sequence: this.#lastId, timeMs: this.#validToMs, ...this.#book.top(levels) };
  }

  /** As {@link top}, canonical and in base units, for those who look on. */
  view(
    levels: number,
  ): { sequence: number; timeMs: number; bids: BookLevel[]; asks: BookLevel[] } | undefined {
    const top = this.top(levels);
    return top && { ...top, bids: this.#inBaseUnits(top.bids), asks: this.#inBaseUnits(top.asks) };
  }

  /** The stream is there: from now on the time counts, with a book or without. */
  onOpened({ receivedMs, exchangeNowMs }: BookArrival): void {
    if (this.#state === "valid") return;
    this.#waitingSinceMs = receivedMs;
    this.#outage ??= { startMs: exchangeNowMs, reason: "disconnected", detail: "not synchronised yet" };
  }

  /** No connection carries the stream any more, or nobody knows what it has left out. */
  onLost(reason: "disconnected" | "stale", detail: string): void {
    this.#waitingSinceMs = undefined;
    this.#buffer = [];
    if (this.#state === "valid") this.#endValidity(reason, detail);
    this.#state = "empty";
    this.#page = undefined;
    this.#connectionId = undefined;
  }

  /** A connection has gone for good, whoever carries the stream now: a book that only its changes continue starts over. */
  connectionEnded(connectionId: number): void {
    if (this.#connectionId === connectionId)
      this.#fail("disconnected", "the connection that its snapshot came on has ended", undefined);
  }

  onUpdate(update: BookUpdate, arrival: BookArrival): void {
    const { rules } = this.#options;
    this.#receivedMs = arrival.receivedMs;
    this.#counts.add("received");
    if (update.isSnapshot) {
      this.#begin(update, arrival);
      return;
    }
    if (this.#state === "buffering") {
      if (this.#page) this.#follow(update, arrival);
      else this.#hold(update);
      return;
    }
    if (this.#state === "empty") {
      // A stream that begins with a snapshot: whatever comes before it belongs to a book that is gone.
      if (rules.startsFrom === "rest") this.#startBuffering(update);
      return;
    }
    if (this.#connectionId !== undefined && this.#connectionId !== arrival.connectionId) return;
    this.#follow(update, arrival);
  }

  /** A page of REST that was asked for, or that is to be compared with. */
  onPage(page: BookPage, arrival: Omit<BookArrival, "connectionId">): void {
    this.#isPageAsked = false;
    if (this.#state !== "buffering" || this.#page) return;
    const first = this.#buffer[0];
    if (page.sequence < 0 || (first && this.#options.rules.isPageTooOld(page, first))) {
      this.#requestPage();
      return;
    }
    this.#startFromPage(page, arrival);
  }

  /** The page could not be had. Asking again, and when, is the caller's decision. */
  onPageFailed(): void {
    this.#isPageAsked = false;
  }

  /** Begins to note the book's best levels at each change, to compare a page with that is about to be asked for. */
  beginComparison(): void {
    if (this.#state === "valid") this.#witness.begin();
  }

  /**
   * Compares a page of REST with what the book was at its sequence; a difference invalidates the book.
   * @returns undefined where the book did not stand at that sequence, so that nothing can be said
   */
  compare(page: BookPage): "same" | "different" | undefined {
    const difference = this.#witness.end(page);
    if (difference === undefined || this.#state !== "valid") return undefined;
    if (difference === "") return "same";
    this.#fail("mismatch", difference, undefined);
    return "different";
  }

  /** Keeps a change that nobody could read; the next one shows that it is missing. */
  reject(rejection: Rejection): void {
    this.#counts.add("malformed");
    this.#rejected.push(rejection);
  }

  /** To be called now and then: asks REST where the stream has not sent its snapshot. */
  tick(nowMs: number): void {
    const { rules } = this.#options;
    if (rules.startsFrom !== "stream" || this.#state !== "empty" || this.#waitingSinceMs === undefined)
      return;
    if (nowMs - this.#waitingSinceMs < SNAPSHOT_WAIT_MS) return;
    this.#startBuffering(undefined);
  }

  /** What has come of it since the last call; undefined when nothing has. */
  take(): BookBatch | undefined {
    if (this.#state === "valid") this.#claimValidity();
    if (
      this.#snapshots.length === 0 &&
      this.#deltas.length === 0 &&
      this.#valid.length === 0 &&
      this.#outages.length === 0 &&
      this.#counts.isEmpty
    )
      return undefined;
    const batch: BookBatch = {
      kind: "book",
      marketId: this.#options.marketId,
      snapshots: this.#snapshots,
      deltas: this.#deltas,
      valid: this.#valid,
      outages: this.#outages,
      rejected: this.#rejected,
      tally: this.#counts.take(),
      receivedMs: this.#receivedMs,
    };
    this.#snapshots = [];
    this.#deltas = [];
    this.#valid = [];
    this.#outages = [];
    this.#rejected = [];
    return batch;
  }

  /** As {@link take} at the end: an outage that goes on is recorded up to now. */
  finish(exchangeNowMs: number): BookBatch | undefined {
    this.#closeOutage(exchangeNowMs);
    return this.take();
  }

  /** 1. The stream's own snapshot is the book, whatever there was before. */
  #begin(update: BookUpdate, arrival: BookArrival): void {
    this.#waitingSinceMs = undefined;
    this.#buffer = [];
    const wasValid = this.#state === "valid";
    const fault = this.#book.reset(update.bids, update.asks) ?? this.#faultOf(update);
    if (fault) {
      this.#counts.add("malformed");
      this.#fail("malformed", fault, undefined);
      return;
    }
    this.#connectionId = arrival.connectionId;
    this.#page = undefined;
    this.#lastId = update.lastId;
    const timeMs = timeOf(update, arrival);
    // While two connections overlap, the new one's snapshot carries the book on without a pause.
    if (wasValid && timeMs - this.#validToMs <= OVERLAP_MS)
      this.#validToMs = Math.max(this.#validToMs, timeMs);
    else {
      if (wasValid) this.#endValidity("disconnected", "a new snapshot came after a pause");
      this.#becomeValid(timeMs);
    }
    this.#keep(update, timeMs, arrival);
  }

  /** 2. Changes are held until the page is there. */
  #startBuffering(update: BookUpdate | undefined): void {
    this.#state = "buffering";
    this.#connectionId = undefined;
    this.#page = undefined;
    this.#buffer = update ? [update] : [];
    this.#requestPage();
  }

  #hold(update: BookUpdate): void {
    this.#buffer.push(update);
    if (this.#buffer.length > BUFFER_MAX) this.#buffer.splice(0, BUFFER_MAX / 2);
  }

  /** 3. The page is the book; of the changes held, those that lie before it are skipped, the rest must continue it. */
  #startFromPage(page: BookPage, arrival: Omit<BookArrival, "connectionId">): void {
    const held = this.#buffer;
    this.#buffer = [];
    const { pageLevels, startsFrom } = this.#options.rules;
    const isPartial =
      startsFrom === "rest" && (page.bids.length >= pageLevels || page.asks.length >= pageLevels);
    const fault = this.#book.reset(page.bids, page.asks, { isPartial });
    if (fault) {
      this.#counts.add("malformed");
      this.#startBuffering(undefined);
      return;
    }
    this.#page = page;
    this.#lastId = page.sequence;
    for (const [at, update] of held.entries()) {
      this.#follow(update, { ...arrival, connectionId: 0 });
      // Broken on the way: what comes after the break may continue a newer page.
      if (this.#page === undefined && this.#state === "buffering") {
        this.#buffer.push(...held.slice(at + 1));
        return;
      }
    }
  }

  /** Not valid before a change has shown that the stream goes on from the page. */
  #follow(update: BookUpdate, arrival: BookArrival): void {
    const page = this.#page;
    const step =
      this.#state === "buffering" && page
        ? this.#options.rules.first(page, update)
        : this.#options.rules.next(this.#lastId, update);
    switch (step.do) {
      case "skip":
        return;
      case "resync":
        this.#counts.add("sequenceBreaks");
        this.#fail("sequence_break", step.detail, update);
        return;
      case "apply":
        if (this.#state !== "valid") this.#becomeValid(timeOf(update, arrival));
        this.#apply(update, arrival);
    }
  }

  /** 4. A change that continues the book; whatever is then wrong with it ends the book. */
  #apply(update: BookUpdate, arrival: BookArrival): void {
    const { rules } = this.#options;
    const fault = this.#book.apply(update.bids, update.asks);
    if (fault) {
      this.#counts.add("malformed");
      this.#fail("malformed", fault, undefined);
      return;
    }
    if (rules.levelsMax !== undefined) this.#book.cut(rules.levelsMax);
    const wrong = this.#faultOf(update);
    if (wrong) {
      if (wrong.startsWith("checksum")) this.#counts.add("checksumFailures");
      this.#fail(wrong.startsWith("checksum") ? "checksum" : "crossed", wrong, undefined);
      return;
    }
    this.#lastId = update.lastId;
    const timeMs = timeOf(update, arrival);
    this.#validToMs = Math.max(this.#validToMs, timeMs);
    this.#witness.note(this.#lastId, this.#book);
    this.#keep(update, timeMs, arrival);
  }

  /** What the book itself shows to be wrong after a change. */
  #faultOf(update: BookUpdate): string | undefined {
    const { rules } = this.#options;
    if (update.checksum !== undefined && rules.checksum && rules.checksumLevels !== undefined) {
      const { bids, asks } = this.#book.top(rules.checksumLevels);
      const found = rules.checksum(bids, asks);
      if (found !== update.checksum)
        return `checksum ${found} at ${update.lastId}, the exchange says ${update.checksum}`;
    }
    if (!this.#book.isCrossed) return undefined;
    const { bids, asks } = this.#book.top(1);
    return `bid ${bids[0]?.[0]} is not below ask ${asks[0]?.[0]} at ${update.lastId}`;
  }

  /** The book is lost; the change that showed it may be the first of the next one. */
  #fail(reason: BookOutageReason, detail: string, update: BookUpdate | undefined): void {
    if (this.#state === "valid") this.#endValidity(reason, detail);
    this.#connectionId = undefined;
    if (this.#options.rules.startsFrom === "rest") {
      this.#startBuffering(update);
      return;
    }
    this.#state = "empty";
    this.#page = undefined;
    this.#waitingSinceMs = this.#receivedMs;
    this.#options.resubscribe();
  }

  #becomeValid(timeMs: number): void {
    if (this.#hasBeenValid) this.#counts.add("resyncs");
    this.#hasBeenValid = true;
    this.#state = "valid";
    this.#page = undefined;
    this.#waitingSinceMs = undefined;
    const fromMs = Math.max(timeMs, this.#outage?.startMs ?? timeMs);
    this.#closeOutage(fromMs);
    this.#validFromMs = this.#validToMs = fromMs;
    this.#nextSnapshotMs = -Infinity;
  }

  #endValidity(reason: BookOutageReason, detail: string): void {
    this.#claimValidity();
    this.#witness.stop();
    this.#outage = { startMs: this.#validToMs, reason, detail };
    this.#state = "empty";
  }

  #claimValidity(): void {
    if (this.#validToMs > this.#validFromMs) {
      this.#valid.push({ startMs: this.#validFromMs, endMs: this.#validToMs });
      this.#validFromMs = this.#validToMs;
    }
  }

  #closeOutage(endMs: number): void {
    if (this.#outage && endMs > this.#outage.startMs) this.#outages.push({ ...this.#outage, endMs });
    this.#outage = undefined;
  }

  /** Of a change that was applied: the delta where deltas are kept, and a snapshot where one is due. */
  #keep(update: BookUpdate, timeMs: number, { receivedMs }: BookArrival): void {
    if (this.#options.keepsDeltas) {
      this.#deltas.push({
        kind: "book_delta",
        timeMs,
        receivedMs,
        firstId: update.firstId,
        lastId: update.lastId,
        isSnapshot: update.isSnapshot,
        bids: this.#inBaseUnits(update.bids),
        asks: this.#inBaseUnits(update.asks),
      });
      this.#bound(this.#deltas, DELTAS_HELD_MAX);
    }
    if (timeMs < this.#nextSnapshotMs) return;
    const { snapshotEveryMs, levels } = this.#options;
    this.#nextSnapshotMs = (Math.floor(timeMs / snapshotEveryMs) + 1) * snapshotEveryMs;
    if (!this.#book.isKnown(levels)) {
      this.#fail("shallow", "the price has moved beyond the levels that were fetched", undefined);
      return;
    }
    const { bids, asks } = this.#book.top(levels);
    this.#snapshots.push({
      kind: "book_snapshot",
      timeMs,
      sequence: this.#lastId,
      bids: this.#inBaseUnits(bids),
      asks: this.#inBaseUnits(asks),
    });
    this.#bound(this.#snapshots, SNAPSHOTS_HELD_MAX);
  }

  #bound(held: unknown[], max: number): void {
    if (held.length <= max) return;
    this.#counts.add("shed", held.splice(0, held.length - max / 2).length);
  }

  #inBaseUnits(levels: readonly WireLevel[]): BookLevel[] {
    const { contractSize } = this.#options;
    return levels.map(([price, qty]) => {
      const exactPrice = parseDecimal(price);
      const contracts = parseDecimal(qty);
      const exactQty =
        contracts !== undefined && contractSize !== undefined
          ? multiplyDecimals(contracts, contractSize)
          : contracts;
      assert(exactPrice !== undefined && exactQty !== undefined, `the book let ${price} × ${qty} through`);
      return [exactPrice, exactQty] as const;
    });
  }

  #requestPage(): void {
    if (this.#isPageAsked) return;
    this.#isPageAsked = true;
    this.#options.requestPage();
  }
}

function timeOf({ timeMs }: BookUpdate, { exchangeNowMs }: Pick<BookArrival, "exchangeNowMs">): number {
  return timeMs !== undefined && Math.abs(timeMs - exchangeNowMs) <= TIME_OFF_MS ? timeMs : exchangeNowMs;
}
