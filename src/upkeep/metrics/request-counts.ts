// Requests to exchanges, and connections to their streams: how many there were and how they failed.
import { LabelledCounts } from "../../core/counts.js";
import type { RequestFailure, RequestSuccess } from "../../exchanges/exchange.js";

export class RequestCounts {
  /** Answered ones, and every attempt that failed. */
  readonly requests = new LabelledCounts(["exchange", "endpoint"]);
  readonly errors = new LabelledCounts(["exchange", "endpoint", "class"]);

  succeeded({ exchange, endpoint }: RequestSuccess): void {
    this.requests.add({ exchange, endpoint });
  }

  failed({ exchange, endpoint, fault }: RequestFailure): void {
    this.requests.add({ exchange, endpoint });
    this.errors.add({ exchange, endpoint, class: fault.kind });
  }
}
