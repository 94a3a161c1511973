// Keeps a fault that repeats itself from filling the log: what has been said often within a minute is only counted, and the
// count is said when the minute is over. Messages that differ in numbers or markets alone are one fault.

export interface RepeatLimiterOptions {
  readonly nowMs: () => number;
  /** Says how often something was left out. */
  readonly tell: (summary: RepeatSummary) => void;
  /** Said in full within a window. */
  readonly saidMax?: number;
  readonly windowMs?: number;
  /** Faults told apart; beyond it the oldest is summed up and forgotten. */
  readonly faultsMax?: number;
}

export interface RepeatSummary {
  readonly level: number;
  readonly text: string;
}

interface Fault {
  readonly level: number;
  readonly sinceMs: number;
  said: number;
  leftOut: number;
  last: string;
}

/** Five show whether it is one market or all of them. */
const SAID_MAX = 5;
const WINDOW_MS = 60_000;
const FAULTS_MAX = 1_000;
/** `binance:BTC/USDT:USDT`, `BTC-USDT-SWAP` and the like; and numbers, with what is left of times. */
const MARKET = /\b(?:[a-z]+:)?[A-Z0-9]{1,15}[/-][A-Z0-9]{1,15}(?:[:-][A-Z0-9]+)?\b/g;
const NUMBER = /\d+/g;
/** Native symbols such as `BTCUSDT`. */
const SYMBOL = /\b[A-Z0-9]{1,15}(?:USDT|USDC|FDUSD|USD|BTC|ETH|BNB|EUR|TRY)\b/g;

export class RepeatLimiter {
  readonly #options: Required<RepeatLimiterOptions>;
  readonly #faults = new Map<string, Fault>();

  constructor(options: RepeatLimiterOptions) {
    this.#options = { saidMax: SAID_MAX, windowMs: WINDOW_MS, faultsMax: FAULTS_MAX, ...options };
  }

  /**
   * False for a message that is only counted.
   * @param kind what tells faults apart; default the text without its numbers and markets
   */
  allows(level: number, text: string, kind = kindOf(text)): boolean {
    const { nowMs, saidMax, windowMs, faultsMax } = this.#options;
    const key = `${level} ${kind}`;
    let fault = this.#faults.get(key);
    if (fault && nowMs() - fault.sinceMs >= windowMs) {
      this.#end(key, fault);
      fault = undefined;
    }
    if (!fault) {
      const [oldest] = this.#faults;
      if (oldest && this.#faults.size >= faultsMax) this.#end(...oldest);
      fault = { level, sinceMs: nowMs(), said: 0, leftOut: 0, last: "" };
      this.#faults.set(key, fault);
    }
    if (fault.said < saidMax) {
      fault.said++;
      return true;
    }
    fault.leftOut++;
    fault.last = text;
    return false;
  }

  /** Says what was counted in windows that are over; in all of them when told so. To be called now and then. */
  sumUp({ isEnd = false }: { readonly isEnd?: boolean } = {}): void {
    const { nowMs, windowMs } = this.#options;
    for (const [key, fault] of this.#faults)
      if (isEnd || nowMs() - fault.sinceMs >= windowMs) this.#end(key, fault);
  }

  #end(key: string, { level, leftOut, last }: Fault): void {
    this.#faults.delete(key);
    if (leftOut > 0)
      this.#options.tell({ level, text: `${leftOut} more of this kind were left out; the last: ${last}` });
  }
}

function kindOf(text: string): string {
  return text.replace(MARKET, "§").replace(SYMBOL, "§").replace(NUMBER, "#");
}
