// GET /sim/truth, /sim/faults, /sim/requests and /sim/streams: what no exchange would tell. No weight, no faults.
import { parseTime } from "../src/core/time.js";
import { isTimeframe, timeframeMs, TIMEFRAMES } from "../src/core/timeframe.js";
import { jsonAnswer, type Answer } from "./answer.js";
import type { FaultStrikes } from "./fault-injector.js";
import { nativeSymbolOf } from "./market-spec.js";
import type { RequestCounters } from "./request-counters.js";
import type { SimulatedVenue } from "./simulated-venue.js";
import type { VenueName } from "./venue-name.js";
import type { OpenStreams } from "./ws/gateway.js";

/** Candles one answer of /sim/truth holds at most. */
const CANDLES_MAX = 10_000;

/** What is told. */
interface Told {
  readonly seed: number;
  readonly exchanges: readonly VenueName[];
  venue(name: VenueName): SimulatedVenue;
  readonly requests: RequestCounters;
  streams(): readonly OpenStreams[];
  readonly faults: { strikes(): readonly FaultStrikes[] };
}

/** The answer to a path under /sim; undefined for a path that is none. */
export function answerSim(url: URL, exchange: Told): Answer | undefined {
  switch (url.pathname) {
    case "/sim":
    case "/sim/":
      return jsonAnswer({
        seed: exchange.seed,
        exchanges: Object.fromEntries(exchange.exchanges.map((name) => [name, exchange.venue(name).symbols])),
        endpoints: [
          "/sim/truth?exchange=&symbol=&interval=&startTime=&endTime=",
          "/sim/faults",
          "/sim/requests",
          "/sim/streams",
        ],
      });
    case "/sim/truth":
      return answerTruth(url.searchParams, exchange);
    case "/sim/faults":
      return jsonAnswer({ faults: exchange.faults.strikes() });
    case "/sim/requests":
      return jsonAnswer(exchange.requests.snapshot());
    case "/sim/streams":
      return jsonAnswer({ streams: exchange.streams() });
    default:
      return undefined;
  }
}

/** Of Binance spot, or of the first venue served, when `exchange` is absent. */
function answerTruth(query: URLSearchParams, told: Told): Answer {
  const wrong = (error: string): Answer => jsonAnswer({ error }, 400);
  const wanted = query.get("exchange") ?? told.exchanges[0];
  const exchange = told.exchanges.find((name) => name === wanted);
  if (exchange === undefined) {
    return wrong(`exchange: found ${JSON.stringify(wanted)}, expected one of ${told.exchanges.join(", ")}`);
  }
  const { truth, symbols } = told.venue(exchange);
  const symbol = query.get("symbol") ?? "";
  const interval = query.get("interval") ?? "1m";
  const fromMs = parseTime(query.get("startTime") ?? "");
  const toMs = parseTime(query.get("endTime") ?? "");
  if (!symbols.some((each) => each === symbol || nativeSymbolOf(each, exchange) === symbol)) {
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
    exchange,
    symbol,
    interval,
    listedMs: truth.listedMs(symbol),
    outages,
    candles: truth.candles(symbol, interval, fromMs, toMs),
  });
}
