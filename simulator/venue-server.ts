// One HTTP request to a simulated venue, from the socket to the answer:
//   1. ask the fault plan; a fault of the connection ends it here,
//   2. count the request; a refused or banned address hears nothing else,
//   3. let a fault take the answer's place,
//   4. let the endpoint answer, and let a fault falsify the page,
//   5. send the answer, whole or broken.
import type { IncomingMessage, ServerResponse } from "node:http";
import type { Clock } from "../src/core/clock.js";
import { dropConnection, htmlAnswer, sendAnswer, sendTruncated, type Answer } from "./answer.js";
import type { Call, Dialect } from "./dialect.js";
import type { AnswerFault, AskedFor } from "./fault-conditions.js";
import type { FaultInjector } from "./fault-injector.js";
import { spoilPage } from "./lying-page.js";
import type { RequestCounters } from "./request-counters.js";

/** Counted together, so that the counters stay few whatever is asked for. */
const UNKNOWN_PATH = "unknown";

export interface VenueServerOptions {
  readonly dialect: Dialect;
  readonly faults: FaultInjector;
  readonly counters: RequestCounters;
  readonly clock: Clock;
  /** The venue's clock, its skew included. */
  readonly nowMs: () => number;
  /** Aborted when the simulator closes: ends every wait. */
  readonly signal: AbortSignal;
}

export class VenueServer {
  readonly #options: VenueServerOptions;

  constructor(options: VenueServerOptions) {
    this.#options = options;
  }

  async handle(request: IncomingMessage, response: ServerResponse, url: URL): Promise<void> {
    const { dialect, faults, counters, clock, nowMs, signal } = this.#options;
    const name = dialect.hasEndpoint(url.pathname) ? url.pathname : UNKNOWN_PATH;
    const asked = dialect.askedFor(url, nowMs());
    const fault = faults.strikeAnswer(asked, nowMs());
    switch (fault?.kind) {
      case "disconnect":
        counters.add(name, "disconnect");
        return dropConnection(response);
      case "hang":
        // Never answered; the socket goes when the client or the simulator closes it.
        counters.add(name, "hang");
        return;
      case "slow":
        await clock.sleep(fault.delay_ms, signal);
        break;
      default:
    }

    const call: Call = {
      url,
      ip: request.socket.remoteAddress ?? "unknown",
      nowMs: nowMs(),
      inMicroseconds: request.headers["x-mbx-time-unit"] === "MICROSECOND",
    };
    const answer = this.#answer({ call, isGet: request.method === "GET", asked, fault });
    if (response.destroyed) return;
    if (fault?.kind === "truncated") {
      counters.add(name, "truncated");
      return sendTruncated(response, answer);
    }
    counters.add(name, answer.status);
    sendAnswer(response, answer);
  }

  #answer(context: { call: Call; isGet: boolean; asked: AskedFor; fault: AnswerFault | undefined }): Answer {
    const { call, isGet, asked, fault } = context;
    const { dialect } = this.#options;
    if (fault?.kind === "http_418") {
      dialect.ban(call.ip, fault.until ?? call.nowMs + fault.ban_s * 1_000, call.nowMs);
    }
    const { headers, refusal } = dialect.count(call);
    const answer =
      refusal ?? (fault && dialect.faultAnswer(fault, asked)) ?? this.#ask(call, { isGet, asked, fault });
    return { ...answer, headers: { ...answer.headers, ...headers } };
  }

  #ask(
    call: Call,
    { isGet, asked, fault }: { isGet: boolean; asked: AskedFor; fault: AnswerFault | undefined },
  ): Answer {
    const { dialect, faults, clock } = this.#options;
    if (!dialect.hasEndpoint(call.url.pathname)) return htmlAnswer(404, "404 Not Found");
    if (!isGet) return htmlAnswer(405, "405 Method Not Allowed");
    try {
      const lie = fault?.kind === "lying_page" ? fault.how : undefined;
      const url = lie === undefined ? call.url : dialect.askedInstead(lie, call);
      const payload = dialect.ask({ ...call, url });
      const answer = dialect.write(
        lie !== undefined && Array.isArray(payload) ? spoilPage(payload, lie) : payload,
      );
      if (call.url.pathname.endsWith("/time")) faults.countSkewedAnswer(dialect.name, clock.nowMs());
      faults.countTruthAnswer(asked);
      return answer;
    } catch (error) {
      const refusal = dialect.refuse(error);
      if (refusal === undefined) throw error;
      return refusal;
    }
  }
}
