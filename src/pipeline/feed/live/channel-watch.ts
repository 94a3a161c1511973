// Whether one channel is as lively as it usually is. It learns from the channel's own messages; a silence that is long for it
// is a reason to ask, not yet a fault.

/** No silence below this is worth a question, however busy the channel is. */
const SUSPICIOUS_LEAST_MS = 10_000;
/** A channel nothing is known of is asked about after this long; the quietest are asked about no more often. */
const SUSPICIOUS_MOST_MS = 60_000;
/** A silence is long when it is so many times the usual one... */
const TIMES_USUAL = 20;
/** ...or so many times the longest of late. */
const TIMES_LONGEST = 3;
/** Part of the usual silence that each new one replaces. */
const LEARNING = 0.1;
/** The longest silence is forgotten by this part with each message. */
const FORGETTING = 0.01;
/** After "quiet" the next question waits twice as long, up to this. */
const ASK_AGAIN_MAX_MS = 600_000;

/** A silence, as it is asked about. */
export interface Silence {
  /** The last message, or the ack before the first one; epoch ms, our clock. */
  readonly sinceMs: number;
  /** Nothing has come in since the ack. */
  readonly isFromStart: boolean;
}

export class ChannelWatch {
  /** From here on messages are expected: the ack, or the last message. */
  #sinceMs: number;
  #usualMs: number | undefined;
  #longestMs = 0;
  #askedMs = -Infinity;
  #askAgainMs = SUSPICIOUS_LEAST_MS;

  constructor(ackedMs: number) {
    this.#sinceMs = ackedMs;
  }

  /** The last message, or the ack before the first one; epoch ms, our clock. */
  get sinceMs(): number {
    return this.#sinceMs;
  }

  get silence(): Silence {
    return { sinceMs: this.#sinceMs, isFromStart: this.#usualMs === undefined };
  }

  onMessage(nowMs: number): void {
    const gapMs = Math.max(0, nowMs - this.#sinceMs);
    this.#usualMs = this.#usualMs === undefined ? gapMs : this.#usualMs + LEARNING * (gapMs - this.#usualMs);
    this.#longestMs = Math.max(gapMs, this.#longestMs * (1 - FORGETTING));
    this.#sinceMs = nowMs;
    this.#askedMs = -Infinity;
    this.#askAgainMs = SUSPICIOUS_LEAST_MS;
  }

  /** How long this channel may be silent before that is remarkable, ms. */
  get patienceMs(): number {
    if (this.#usualMs === undefined) return SUSPICIOUS_MOST_MS;
    const longMs = Math.max(TIMES_USUAL * this.#usualMs, TIMES_LONGEST * this.#longestMs);
    return Math.min(Math.max(longMs, SUSPICIOUS_LEAST_MS), SUSPICIOUS_MOST_MS);
  }

  isSuspicious(nowMs: number): boolean {
    return nowMs - this.#sinceMs > this.patienceMs;
  }

  /** True when the silence is suspicious and nobody has asked for a while; counts as asked from then on. */
  shouldAsk(nowMs: number): boolean {
    if (!this.isSuspicious(nowMs) || nowMs - this.#askedMs < this.#askAgainMs) return false;
    this.#askedMs = nowMs;
    return true;
  }

  /** The exchange has nothing newer either. */
  onQuiet(): void {
    this.#askAgainMs = Math.min(this.#askAgainMs * 2, ASK_AGAIN_MAX_MS);
  }
}
