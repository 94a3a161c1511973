// The subscriptions of a connection by the time of what they say next: a binary heap, since there may be a thousand.
import type { Feed, Topic } from "./feed.js";

export interface Subscription {
  /** What the protocol calls it: a stream's name, or an argument as JSON. */
  readonly name: string;
  readonly topic: Topic;
  readonly feed: Feed;
}

interface Queued {
  readonly subscription: Subscription;
  readonly dueMs: number;
  /** Of two that are due together, the one that was subscribed to first. */
  readonly order: number;
}

export class FeedQueue {
  readonly #heap: Queued[] = [];
  #added = 0;

  add(subscription: Subscription): void {
    this.#push({ subscription, dueMs: subscription.feed.dueMs, order: this.#added++ });
  }

  remove(name: string): void {
    const kept = this.#heap.filter((each) => each.subscription.name !== name);
    this.#heap.length = 0;
    for (const each of kept) this.#push(each);
  }

  /** When the next one is due; Infinity when none is. */
  get dueMs(): number {
    return this.#heap[0]?.dueMs ?? Infinity;
  }

  /** Lets the next one say what is due. */
  next(): { readonly subscription: Subscription; readonly payloads: readonly string[] } | undefined {
    const first = this.#heap[0];
    const last = this.#heap.pop();
    if (first === undefined || last === undefined) return undefined;
    if (this.#heap.length > 0) {
      this.#heap[0] = last;
      this.#sink();
    }
    const { subscription, order } = first;
    const payloads = subscription.feed.next();
    this.#push({ subscription, dueMs: subscription.feed.dueMs, order });
    return { subscription, payloads };
  }

  #push(queued: Queued): void {
    const heap = this.#heap;
    let at = heap.push(queued) - 1;
    while (at > 0) {
      const above = (at - 1) >> 1;
      const parent = heap[above];
      if (parent === undefined || !isBefore(queued, parent)) break;
      heap[at] = parent;
      at = above;
    }
    heap[at] = queued;
  }

  #sink(): void {
    const heap = this.#heap;
    const [queued] = heap;
    if (queued === undefined) return;
    let at = 0;
    for (;;) {
      let below = 2 * at + 1;
      const right = heap[below + 1];
      let child = heap[below];
      if (child === undefined) break;
      if (right !== undefined && isBefore(right, child)) {
        below++;
        child = right;
      }
      if (!isBefore(child, queued)) break;
      heap[at] = child;
      at = below;
    }
    heap[at] = queued;
  }
}

function isBefore(a: Queued, b: Queued): boolean {
  return a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.order < b.order);
}
