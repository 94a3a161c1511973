// GET /sim/truth, /sim/faults and /sim/requests: what no exchange would tell. No weight, no faults.
import { parseTime } from "../src/core/time.js";
import { isTimeframe, timeframeMs, TIMEFRAMES } from "../src/core/timeframe.js";
import { jsonAnswer, type Answer } from "./answer.js";
import type { FaultStrikes } from "./fault-injector.js";
import type { GroundTruth } from "./ground-truth.js";
import type { RequestCounters } from "./request-counters.js";

/** Candles one answer of /sim/truth holds at most. */
const CANDLES_MAX = 10_000;

/** What is told. */
interface Told {
  readonly seed: number;
  readonly symbols: readonly string[];
  readonly truth: GroundTruth;
  readonly requests: RequestCounters;
  readonly faults: { strikes(): readonly FaultStrikes[] };
}

/** The answer to a path under /sim; undefined for a path that is none. */
export function answerSim(url: URL, exchange: Told): Answer | undefined {
  switch (url.pathname) {
    case "/sim":
    case "/sim/":
      return jsonAnswer({
        seed: exchange.seed,
        symbols: exchange.symbols,
        endpoints: ["/sim/truth?symbol=&interval=&startTime=&endTime=", "/sim/faults", "/sim/requests"],
      });
    case "/sim/truth":
      return answerTruth(url.searchParams, exchange);
    case "/sim/faults":
      return jsonAnswer({ faults: exchange.faults.strikes() });
    case "/sim/requests":
      return jsonAnswer(exchange.requests.snapshot());
    default:
      return undefined;
  }
}

function answerTruth(query: URLSearchParams, { truth, symbols }: Told): Answer {
  const wrong = (error: string): Answer => jsonAnswer({ error }, 400);
  const symbol = query.get("symbol") ?? "";
  const interval = query.get("interval") ?? "1m";
  const fromMs = parseTime(query.get("startTime") ?? "");
  const toMs = parseTime(query.get("endTime") ?? "");
  if (!symbols.some((each) => each === symbol || each.replace("/", "") === symbol)) {
    return wrong(`symbol: found ${JSON.stringify(symbol)}, expected one of ${symbols.join(", ")}`);
  }
  if (!isTimeframe(interval)) {
    return wrong(`interval: found ${JSON.stringify(interval)}, expected one of ${TIMEFRAMES.join(", ")}`);
  }
  if (fromMs === undefined || toMs === undefined || fromMs >= toMs) {
    return wrong(
      "startTime and endTime: expected two times, the first before the second; the range is half-open",
    );
  }
  if ((toMs - fromMs) / timeframeMs(interval) > CANDLES_MAX) {
    return wrong(`the range holds more than ${CANDLES_MAX} candles; ask for less of it at a time`);
  }
  const outages = truth.outages(symbol).filter((each) => each.startMs < toMs && each.endMs > fromMs);
  return jsonAnswer({
    symbol,
    interval,
    listedMs: truth.listedMs(symbol),
    outages,
    candles: truth.candles(symbol, interval, fromMs, toMs),
  });
}
