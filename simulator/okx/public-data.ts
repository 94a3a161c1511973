// GET /api/v5/public/time, /public/instruments and /system/status.
import { canonicalText } from "../fixed-text.js";
import type { SimulatedMarket } from "../simulated-market.js";
import { liveMarkets, sizeText, type OkxEndpoint } from "./endpoint.js";
import { parameterError, unknownInstrument } from "./okx-error.js";

const INSTRUMENT_TYPES = new Set(["SPOT", "SWAP", "FUTURES", "OPTION", "MARGIN"]);

export const time: OkxEndpoint = {
  path: "/api/v5/public/time",
  requests: 10,
  answer: (_parameters, venue) => [{ ts: String(venue.nowMs) }],
};

/** What was delisted is not in the list, and what is listed later is not in it yet. */
export const instruments: OkxEndpoint = {
  path: "/api/v5/public/instruments",
  requests: 20,
  countedBy: "instType",
  answer(parameters, venue) {
    const type = parameters.required("instType");
    if (!INSTRUMENT_TYPES.has(type)) throw parameterError("instType");
    const instId = parameters.text("instId");
    const found = liveMarkets(venue).filter(
      (market) => instrumentType(market) === type && (instId === undefined || market.nativeSymbol === instId),
    );
    if (instId !== undefined && found.length === 0) throw unknownInstrument();
    return found.map(writeInstrument);
  },
};

/** Maintenance that is still to come or under way. */
export const status: OkxEndpoint = {
  path: "/api/v5/system/status",
  requests: 1,
  windowMs: 5_000,
  answer: (parameters, { faults, nowMs }) =>
    faults
      .maintenance("okx")
      .filter(({ toMs }) => nowMs < toMs)
      .map(({ fromMs, toMs }) => ({
        title: "Simulated maintenance",
        state: nowMs < fromMs ? "scheduled" : "ongoing",
        begin: String(fromMs),
        end: String(toMs),
        preOpenBegin: "",
        href: "",
        serviceType: "99",
        system: "unified",
        scheDesc: "",
        maintType: "1",
        env: "1",
      }))
      .filter((each) => (parameters.text("state") ?? each.state) === each.state),
};

export function instrumentType(market: SimulatedMarket): "SPOT" | "SWAP" {
  return market.settleAsset === undefined ? "SPOT" : "SWAP";
}

export function writeInstrument(market: SimulatedMarket): object {
  const { priceDecimals, contractDecimals = 0, listedMs, suspendedMs } = market.spec;
  const isSwap = instrumentType(market) === "SWAP";
  const pair = `${market.baseAsset}-${market.quoteAsset}`;
  const lot = sizeText(market, 1);
  return {
    alias: "",
    auctionEndTime: "",
    baseCcy: isSwap ? "" : market.baseAsset,
    category: "1",
    contTdSwTime: String(listedMs),
    ctMult: isSwap ? "1" : "",
    ctType: isSwap ? "linear" : "",
    ctVal: isSwap ? canonicalText(10 ** Math.max(0, -contractDecimals), Math.max(0, contractDecimals)) : "",
    ctValCcy: isSwap ? market.baseAsset : "",
    // Announced with the delisting; it is always known here.
    expTime: suspendedMs === undefined ? "" : String(suspendedMs),
    instFamily: isSwap ? pair : "",
    instId: market.nativeSymbol,
    instType: instrumentType(market),
    lever: isSwap ? "100" : "10",
    listTime: String(listedMs),
    lotSz: lot,
    maxIcebergSz: "9999999999",
    maxLmtAmt: "20000000",
    maxLmtSz: "9999999999",
    maxMktAmt: isSwap ? "" : "1000000",
    maxMktSz: isSwap ? "12000" : "1000000",
    maxStopSz: isSwap ? "12000" : "1000000",
    maxTriggerSz: "9999999999",
    maxTwapSz: "9999999999",
    minSz: lot,
    optType: "",
    quoteCcy: isSwap ? "" : market.quoteAsset,
    ruleType: "normal",
    settleCcy: market.settleAsset ?? "",
    state: "live",
    stk: "",
    tickSz: canonicalText(1, priceDecimals),
    uly: isSwap ? pair : "",
  };
}
