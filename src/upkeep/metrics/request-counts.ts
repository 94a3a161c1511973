// Requests to exchanges, and connections to their streams: how many there were and how they failed.
import { Histogram, LabelledCounts } from "../../core/counts.js";
import type { RequestFailure, RequestSuccess } from "../../exchanges/exchange.js";

/** An exchange answers within some tenths of a second; `request.timeout` is ten. */
const SECONDS = [0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30] as const;

export class RequestCounts {
  /** Answered ones, and every attempt that failed. */
  readonly requests = new LabelledCounts(["exchange", "endpoint"]);
  readonly errors = new LabelledCounts(["exchange", "endpoint", "class"]);

  /** How long answered requests took, s, by exchange. */
  readonly seconds = new Map<string, Histogram>();

  succeeded({ exchange, endpoint, tookMs }: RequestSuccess): void {
    this.requests.add({ exchange, endpoint });
    if (tookMs === undefined) return;
    const seconds = this.seconds.get(exchange) ?? new Histogram(SECONDS);
    seconds.observe(tookMs / 1_000);
    this.seconds.set(exchange, seconds);
  }

  failed({ exchange, endpoint, fault }: RequestFailure): void {
    this.requests.add({ exchange, endpoint });
    this.errors.add({ exchange, endpoint, class: fault.kind });
  }
}
