// How often each endpoint was asked, and how that ended.

/** How an answer ended that never became a whole one. */
export type BrokenEnd = "disconnect" | "hang" | "truncated";

/** By endpoint, then by HTTP status or by how the answer broke. */
export type RequestCounts = Readonly<Record<string, Readonly<Record<string, number>>>>;

export class RequestCounters {
  readonly #counts = new Map<string, Map<string, number>>();

  add(endpoint: string, end: number | BrokenEnd): void {
    const byEnd = this.#counts.get(endpoint) ?? new Map<string, number>();
    byEnd.set(String(end), (byEnd.get(String(end)) ?? 0) + 1);
    this.#counts.set(endpoint, byEnd);
  }

  /** Requests of one endpoint (`/api/v3/klines`) or of all, ended one way or any. */
  count({ endpoint, end }: { endpoint?: string; end?: number | BrokenEnd } = {}): number {
    let sum = 0;
    for (const [name, byEnd] of this.#counts) {
      if (endpoint !== undefined && name !== endpoint) continue;
      for (const [each, count] of byEnd) if (end === undefined || each === String(end)) sum += count;
    }
    return sum;
  }

  snapshot(): RequestCounts {
    return Object.fromEntries([...this.#counts].map(([name, byEnd]) => [name, Object.fromEntries(byEnd)]));
  }
}
