// Request weights per address in windows of one minute, and what happens to those who exceed them.
//
// An address is in one of three states. Free: its weight in this minute is within the limit. Refused: above it, every
// request is answered 429 until the minute ends. Banned: it went on asking `refusalsMax` times while refused, and is
// answered 418 until the ban ends; each further ban is twice as long, from two minutes to three days.

export interface WeightLimits {
  /** Weight an address may use in a minute. */
  readonly weightPerMinute: number;
  /** Requests answered 429 before the ban. */
  readonly refusalsMax: number;
  /** Length of the first ban. */
  readonly firstBanMs: number;
}

/** Binance's own, as far as it tells: the number of refusals before a ban is not documented. */
export const DEFAULT_LIMITS: WeightLimits = { weightPerMinute: 6_000, refusalsMax: 20, firstBanMs: 120_000 };
/** Futures allow less. */
export const FUTURES_WEIGHT_PER_MINUTE = 2_400;

const MINUTE_MS = 60_000;
const BAN_MAX_MS = 3 * 86_400_000;
/** Addresses remembered; a simulator is asked by few. */
const ADDRESSES_MAX = 1_000;

export type Admission =
  | { readonly kind: "free"; readonly usedWeight: number }
  | { readonly kind: "refused"; readonly usedWeight: number; readonly retryAfterS: number }
  | {
      readonly kind: "banned";
      readonly usedWeight: number;
      readonly untilMs: number;
      readonly retryAfterS: number;
    };

interface Address {
  minute: number;
  usedWeight: number;
  refusals: number;
  bannedUntilMs: number;
  nextBanMs: number;
}

export class WeightLimiter {
  readonly #limits: WeightLimits;
  readonly #addresses = new Map<string, Address>();

  constructor(limits: WeightLimits) {
    this.#limits = limits;
  }

  /** Counts a request; its weight is used up whether it is answered or refused. */
  admit(ip: string, weight: number, nowMs: number): Admission {
    const address = this.#at(ip, nowMs);
    address.usedWeight += weight;
    const { usedWeight } = address;
    const minuteEndsInS = Math.ceil((MINUTE_MS - (nowMs % MINUTE_MS)) / 1_000);
    if (nowMs >= address.bannedUntilMs && usedWeight > this.#limits.weightPerMinute) {
      if (address.refusals < this.#limits.refusalsMax) {
        address.refusals++;
        return { kind: "refused", usedWeight, retryAfterS: minuteEndsInS };
      }
      this.ban(ip, nowMs + address.nextBanMs, nowMs);
      address.nextBanMs = Math.min(address.nextBanMs * 2, BAN_MAX_MS);
    }
    if (nowMs < address.bannedUntilMs) {
      const untilMs = address.bannedUntilMs;
      return { kind: "banned", usedWeight, untilMs, retryAfterS: Math.ceil((untilMs - nowMs) / 1_000) };
    }
    return { kind: "free", usedWeight };
  }

  /** Bans an address until a time; the simulated exchange's ban is for everything it asks. */
  ban(ip: string, untilMs: number, nowMs: number): void {
    const address = this.#at(ip, nowMs);
    address.bannedUntilMs = Math.max(address.bannedUntilMs, untilMs);
    address.refusals = 0;
  }

  #at(ip: string, nowMs: number): Address {
    const minute = Math.floor(nowMs / MINUTE_MS);
    let address = this.#addresses.get(ip);
    if (address === undefined) {
      if (this.#addresses.size >= ADDRESSES_MAX) this.#addresses.clear();
      address = { minute, usedWeight: 0, refusals: 0, bannedUntilMs: 0, nextBanMs: this.#limits.firstBanMs };
      this.#addresses.set(ip, address);
    }
    if (address.minute !== minute) {
      address.minute = minute;
      address.usedWeight = 0;
      address.refusals = 0;
    }
    return address;
  }
}
