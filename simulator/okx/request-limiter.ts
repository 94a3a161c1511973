// OKX's limits: so many requests of one address to one endpoint in a window, 2 s unless the endpoint says otherwise.
// What is above is refused and not counted; there are no bans, and no header tells how many are left.

/** Counts remembered; a simulator is asked by few. */
const WINDOWS_MAX = 1_000;

export interface RequestLimit {
  readonly requests: number;
  readonly windowMs: number;
}

export class RequestLimiter {
  readonly #windows = new Map<string, { window: number; requests: number }>();

  /** @param key address and endpoint */
  isFree(key: string, { requests, windowMs }: RequestLimit, nowMs: number): boolean {
    const window = Math.floor(nowMs / windowMs);
    let counted = this.#windows.get(key);
    if (counted?.window !== window) {
      if (this.#windows.size >= WINDOWS_MAX) this.#windows.clear();
      counted = { window, requests: 0 };
      this.#windows.set(key, counted);
    }
    if (counted.requests >= requests) return false;
    counted.requests++;
    return true;
  }
}
