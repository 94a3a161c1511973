// One market's order book, live: synchronised, checked at every step, and never served while in doubt.
//
//   empty ──first change (books that start from REST)──> buffering ──page──> valid
//     └────────snapshot of the stream──────────────────────────────────────> valid ──anything wrong──> empty or buffering
//
// In: changes as they arrive, pages of REST as they are answered, what became of the stream. Out: snapshots of the best
// levels, the times with a valid book, and the times without one with the reason (book-claims.ts). A book that goes wrong
// asks for a page or a new subscription by itself; the venue's own rules say what continues it (exchanges/<venue>/book-rules.ts).
import assert from "node:assert/strict";
import type {
  BookDelta,
  BookLevel,
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
import type { BookRules } from "../../../exchanges/book-rules.js";
import { OrderBook } from "../../fold/order-book.js";
import { BookClaims } from "./book-claims.js";
import { BookWitness } from "./book-witness.js";
import { EventTimes } from "./event-times.js";
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
/** Of a venue that has changed its format every message is unreadable: the first ones tell all there is to tell. */
const REJECTED_HELD_MAX = 1_000;
/** Between the last change of one connection and the snapshot of the next: what is under way on both. */
const OVERLAP_MS = 1_000;
/** What repeats the past has no later time than the book: one that has counts its ids anew. */
const SKIPPED_NEWER_MS = 2_000;
/** The same where times tell nothing: a minute of changes at ten a second, none of which the book took. */
const SKIPPED_MAX = 600;
/** Another connection has gone on for so long without the one the book is on. */
const OTHER_NEWER_MS = 10_000;
/** A stream that promised a snapshot has sent it within a second or two; after this REST is asked. */
const SNAPSHOT_WAIT_MS = 5_000;

type State = "empty" | "buffering" | "valid";

/** A change, and when it was; undefined while no time of its stream is believed. */
interface Timed {
  readonly update: BookUpdate;
  readonly timeMs: number | undefined;
  readonly receivedMs: number;
}

export class BookKeeper {
  readonly #options: BookKeeperOptions;
  readonly #book = new OrderBook();
  readonly #counts = new LiveCounts();
  readonly #witness = new BookWitness();
  readonly #times = new EventTimes();
  readonly #claims: BookClaims;
  #state: State = "empty";
  #lastId = -1;
  /** The connection whose changes are followed, where the stream itself began the book. */
  #connectionId: number | undefined;
  #buffer: Timed[] = [];
  #isPageAsked = false;
  /** The page the book was set to, while no change has continued it yet. */
  #page: BookPage | undefined;
  /** When the channel was opened without a snapshot having come since. */
  #waitingSinceMs: number | undefined;
  /** Changes in a row that lay before the book. */
  #skipped = 0;
  #hasBeenValid = false;
  #nextSnapshotMs = -Infinity;
  #snapshots: BookSnapshot[] = [];
  #deltas: BookDelta[] = [];
  #rejected: Rejection[] = [];
  #receivedMs = 0;

  constructor(options: BookKeeperOptions) {
    this.#options = options;
    this.#claims = new BookClaims(options.followedToMs);
  }

  get isValid(): boolean {
    return this.#state === "valid";
  }

  /**
   * The best levels at the last change as far as they are known, quantities as the venue counts them; undefined while the book is
   * not valid.
   */
  top(
    levels: number,
  ): { sequence: number; timeMs: number; bids: WireLevel[]; asks: WireLevel[] } | undefined {
    const { toMs } = this.#claims;
    if (this.#state !== "valid" || toMs === undefined) return undefined;
    return { sequence: this.#lastId, timeMs: toMs, ...this.#book.top(levels) };
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
    this.#claims.open(exchangeNowMs);
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
    const { connectionId, receivedMs, exchangeNowMs } = arrival;
    this.#receivedMs = receivedMs;
    this.#counts.add("received");
    const timed = { update, timeMs: this.#times.believe(update.timeMs, exchangeNowMs), receivedMs };
    if (update.isSnapshot) {
      this.#begin(timed, connectionId);
      return;
    }
    if (this.#state === "buffering") {
      if (this.#page) this.#follow(timed);
      else this.#hold(timed);
      return;
    }
    if (this.#state === "empty") {
      // A stream that begins with a snapshot: whatever comes before it belongs to a book that is gone.
      if (rules.startsFrom === "rest") this.#startBuffering(timed);
      return;
    }
    if (this.#connectionId !== undefined && this.#connectionId !== connectionId) {
      if (this.#isNewerBy(OTHER_NEWER_MS, timed))
        this.#fail("stale", "another connection has gone on without the one it was on", undefined);
      return;
    }
    this.#follow(timed);
  }

  /** A page of REST that was asked for, or that is to be compared with. */
  onPage(page: BookPage): void {
    this.#isPageAsked = false;
    if (this.#state !== "buffering" || this.#page) return;
    const first = this.#buffer[0]?.update;
    if (page.sequence < 0 || (first && this.#options.rules.isPageTooOld(page, first))) {
      this.#requestPage();
      return;
    }
    this.#startFromPage(page);
  }

  /** The page could not be had. Asking again, and when, is the caller's decision. */
  onPageFailed(): void {
    this.#isPageAsked = false;
  }

  /** Begins to note the book's best levels at each change, to compare a page with that is about to be asked for. */
  beginComparison(): void {
    if (this.#state !== "valid") return;
    this.#witness.begin();
    this.#witness.note(this.#lastId, this.#book);
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
    if (this.#rejected.length < REJECTED_HELD_MAX) this.#rejected.push(rejection);
  }

  /**
   * To be called now and then: asks REST where the stream has not sent its snapshot, and puts an outage that goes on on record.
   * @param nowMs our clock, epoch ms
   */
  tick(nowMs: number, exchangeNowMs: number): void {
    const { rules } = this.#options;
    this.#claims.tell(exchangeNowMs);
    if (rules.startsFrom !== "stream" || this.#state !== "empty" || this.#waitingSinceMs === undefined)
      return;
    if (nowMs - this.#waitingSinceMs < SNAPSHOT_WAIT_MS) return;
    this.#startBuffering(undefined);
  }

  /** What has come of it since the last call; undefined when nothing has. */
  take(): BookBatch | undefined {
    const { valid, outages } = this.#claims.take();
    if (
      this.#snapshots.length === 0 &&
      this.#deltas.length === 0 &&
      valid.length === 0 &&
      outages.length === 0 &&
      this.#counts.isEmpty
    )
      return undefined;
    const batch: BookBatch = {
      kind: "book",
      marketId: this.#options.marketId,
      snapshots: this.#snapshots,
      deltas: this.#deltas,
      valid,
      outages,
      rejected: this.#rejected,
      tally: this.#counts.take(),
      receivedMs: this.#receivedMs,
    };
    this.#snapshots = [];
    this.#deltas = [];
    this.#rejected = [];
    return batch;
  }

  /** As {@link take} at the end: an outage that goes on is recorded up to now. */
  finish(exchangeNowMs: number): BookBatch | undefined {
    this.#claims.finish(exchangeNowMs);
    return this.take();
  }

  /** 1. The stream's own snapshot is the book, whatever there was before. */
  #begin(timed: Timed, connectionId: number): void {
    const { update, timeMs } = timed;
    this.#waitingSinceMs = undefined;
    this.#buffer = [];
    const wasValid = this.#state === "valid";
    const fault = this.#book.reset(update.bids, update.asks) ?? this.#faultOf(update);
    if (fault) {
      this.#counts.add("malformed");
      this.#fail("malformed", fault, undefined);
      return;
    }
    this.#connectionId = connectionId;
    this.#page = undefined;
    this.#lastId = update.lastId;
    this.#skipped = 0;
    // While two connections overlap, the new one's snapshot carries the book on without a pause.
    if (wasValid && !this.#isNewerBy(OVERLAP_MS, timed)) this.#claims.reach(timeMs);
    else {
      if (wasValid) this.#endValidity("disconnected", "a new snapshot came after a pause");
      this.#becomeValid(timeMs);
    }
    this.#keep(timed);
  }

  /** 2. Changes are held until the page is there. */
  #startBuffering(timed: Timed | undefined): void {
    this.#state = "buffering";
    this.#connectionId = undefined;
    this.#page = undefined;
    this.#skipped = 0;
    this.#buffer = timed ? [timed] : [];
    this.#requestPage();
  }

  #hold(timed: Timed): void {
    this.#buffer.push(timed);
    if (this.#buffer.length > BUFFER_MAX) this.#buffer.splice(0, BUFFER_MAX / 2);
  }

  /** 3. The page is the book; of the changes held, those that lie before it are skipped, the rest must continue it. */
  #startFromPage(page: BookPage): void {
    const held = this.#buffer;
    this.#buffer = [];
    const { pageLevels, startsFrom } = this.#options.rules;
    const isCut = (side: readonly WireLevel[]): boolean => startsFrom === "rest" && side.length >= pageLevels;
    const fault = this.#book.reset(page.bids, page.asks, {
      hasMoreBids: isCut(page.bids),
      hasMoreAsks: isCut(page.asks),
    });
    if (fault) {
      this.#counts.add("malformed");
      this.#startBuffering(undefined);
      return;
    }
    this.#page = page;
    this.#lastId = page.sequence;
    for (const [at, timed] of held.entries()) {
      this.#follow(timed);
      // Broken on the way: what comes after the break may continue a newer page.
      if (this.#page === undefined && this.#state === "buffering") {
        this.#buffer.push(...held.slice(at + 1));
        return;
      }
    }
  }

  /** Not valid before a change has shown that the stream goes on from the page. */
  #follow(timed: Timed): void {
    const { update, timeMs } = timed;
    const page = this.#page;
    const step =
      this.#state === "buffering" && page
        ? this.#options.rules.first(page, update)
        : this.#options.rules.next(this.#lastId, update);
    switch (step.do) {
      case "skip":
        if (++this.#skipped <= SKIPPED_MAX && !this.#isNewerBy(SKIPPED_NEWER_MS, timed)) return;
        this.#counts.add("sequenceBreaks");
        this.#fail("sequence_break", `ids begin anew: ${update.lastId} after ${this.#lastId}`, timed);
        return;
      case "resync":
        this.#counts.add("sequenceBreaks");
        this.#fail("sequence_break", step.detail, timed);
        return;
      case "apply":
        this.#skipped = 0;
        if (this.#state !== "valid") this.#becomeValid(timeMs);
        this.#apply(timed);
    }
  }

  /** False as well where either time is not known. */
  #isNewerBy(ms: number, { timeMs = -Infinity }: Timed): boolean {
    return timeMs > (this.#claims.toMs ?? Infinity) + ms;
  }

  /** 4. A change that continues the book; whatever is then wrong with it ends the book. */
  #apply(timed: Timed): void {
    const { update, timeMs } = timed;
    const { rules, levels } = this.#options;
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
    if (!this.#book.isKnown(levels)) {
      this.#fail("shallow", "the price has moved beyond the levels that were fetched", undefined);
      return;
    }
    this.#lastId = update.lastId;
    this.#claims.reach(timeMs);
    this.#witness.note(this.#lastId, this.#book);
    this.#keep(timed);
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
  #fail(reason: BookOutageReason, detail: string, timed: Timed | undefined): void {
    if (this.#state === "valid") this.#endValidity(reason, detail);
    this.#connectionId = undefined;
    if (this.#options.rules.startsFrom === "rest") {
      this.#startBuffering(timed);
      return;
    }
    this.#state = "empty";
    this.#page = undefined;
    this.#waitingSinceMs = this.#receivedMs;
    this.#options.resubscribe();
  }

  #becomeValid(timeMs: number | undefined): void {
    if (this.#hasBeenValid) this.#counts.add("resyncs");
    this.#hasBeenValid = true;
    this.#state = "valid";
    this.#page = undefined;
    this.#waitingSinceMs = undefined;
    this.#claims.begin(timeMs);
    this.#nextSnapshotMs = -Infinity;
  }

  #endValidity(reason: BookOutageReason, detail: string): void {
    this.#witness.stop();
    this.#claims.end(reason, detail);
    this.#state = "empty";
  }

  /** Of a change that was applied: the delta where deltas are kept, and a snapshot where one is due. */
  #keep({ update, timeMs, receivedMs }: Timed): void {
    if (this.#options.keepsDeltas) {
      this.#deltas.push({
        kind: "book_delta",
        timeMs: timeMs ?? update.timeMs ?? receivedMs,
        receivedMs,
        firstId: update.firstId,
        lastId: update.lastId,
        isSnapshot: update.isSnapshot,
        bids: this.#inBaseUnits(update.bids),
        asks: this.#inBaseUnits(update.asks),
      });
      if (this.#deltas.length > DELTAS_HELD_MAX)
        this.#counts.add("shed", this.#deltas.splice(0, this.#deltas.length - DELTAS_HELD_MAX / 2).length);
    }
    if (timeMs === undefined) return;
    const { snapshotEveryMs, levels } = this.#options;
    // Earlier than the last one was: our own clock, where it had to serve, was set back.
    if (timeMs < this.#nextSnapshotMs && timeMs >= this.#nextSnapshotMs - snapshotEveryMs) return;
    this.#nextSnapshotMs = (Math.floor(timeMs / snapshotEveryMs) + 1) * snapshotEveryMs;
    const { bids, asks } = this.#book.top(levels);
    this.#snapshots.push({
      kind: "book_snapshot",
      timeMs,
      sequence: this.#lastId,
      bids: this.#inBaseUnits(bids),
      asks: this.#inBaseUnits(asks),
    });
    if (this.#snapshots.length > SNAPSHOTS_HELD_MAX) this.#shedSnapshots();
  }

  /** The oldest are given up, and with them the time up to the first that is kept. */
  #shedSnapshots(): void {
    const dropped = this.#snapshots.splice(0, this.#snapshots.length - SNAPSHOTS_HELD_MAX / 2);
    this.#counts.add("shed", dropped.length);
    const [first] = dropped;
    const [kept] = this.#snapshots;
    if (first && kept)
      this.#claims.shed(
        { startMs: first.timeMs, endMs: kept.timeMs },
        `${dropped.length} snapshots were given up: the store did not take what came in`,
      );
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
