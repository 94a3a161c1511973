// Counts for whoever operates the program: plain numbers, cheap to add to, read when somebody asks.

/** Counts told apart by labels. For what happens by request or batch; the hot path keeps numbers of its own. */
export class LabelledCounts<Label extends string> {
  readonly #labels: readonly Label[];
  readonly #combinationsMax: number;
  readonly #counts = new Map<string, { readonly labels: Readonly<Record<Label, string>>; count: number }>();

  /** @param options.combinationsMax further combinations are counted together, all their labels `other` */
  constructor(labels: readonly Label[], { combinationsMax = 500 }: { combinationsMax?: number } = {}) {
    this.#labels = labels;
    this.#combinationsMax = combinationsMax;
  }

  add(labels: Readonly<Record<Label, string>>, count = 1): void {
    const entry = this.#entryOf(labels);
    entry.count += count;
  }

  [Symbol.iterator](): IterableIterator<{
    readonly labels: Readonly<Record<Label, string>>;
    readonly count: number;
  }> {
    return this.#counts.values();
  }

  #entryOf(labels: Readonly<Record<Label, string>>): { count: number } {
    const key = this.#keyOf(labels);
    const known = this.#counts.get(key);
    if (known) return known;
    if (this.#counts.size >= this.#combinationsMax) {
      const others = Object.fromEntries(this.#labels.map((label) => [label, "other"])) as Record<
        Label,
        string
      >;
      const key = this.#keyOf(others);
      const entry = this.#counts.get(key) ?? { labels: others, count: 0 };
      this.#counts.set(key, entry);
      return entry;
    }
    const entry = { labels: { ...labels }, count: 0 };
    this.#counts.set(key, entry);
    return entry;
  }

  #keyOf(labels: Readonly<Record<Label, string>>): string {
    return this.#labels.map((label) => labels[label]).join("\n");
  }
}

/** How often values fell into which range. */
export class Histogram {
  /** Upper bounds, inclusive, ascending; what is above the last one has a place of its own. */
  readonly bounds: readonly number[];
  /** One more than there are bounds. */
  readonly counts: number[];
  sum = 0;
  count = 0;

  constructor(bounds: readonly number[]) {
    this.bounds = bounds;
    this.counts = new Array<number>(bounds.length + 1).fill(0);
  }

  observe(value: number): void {
    const { bounds } = this;
    let at = 0;
    while (at < bounds.length && value > (bounds[at] ?? Infinity)) at++;
    this.counts[at] = (this.counts[at] ?? 0) + 1;
    this.sum += value;
    this.count++;
  }

  /** Adds another one of the same bounds. */
  add(other: Histogram): void {
    other.counts.forEach((count, i) => (this.counts[i] = (this.counts[i] ?? 0) + count));
    this.sum += other.sum;
    this.count += other.count;
  }
}
