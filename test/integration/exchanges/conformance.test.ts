import { createBinance } from "../../../src/exchanges/binance/index.js";
import { describeExchangeConformance } from "../../conformance/exchange-conformance.js";

describeExchangeConformance("binance", {
  create: createBinance,
  nativeSymbol: "BTCUSDT",
  candles: (openTimesMs) =>
    openTimesMs.map((openMs) => {
      const price = "42000.10000000";
      return [
        openMs,
        price,
        price,
        price,
        price,
        "1.50000000",
        openMs + 59_999,
        "63000.15000000",
        7,
        "0",
        "0",
        "0",
      ];
    }),
  serverTime: (serverTime) => ({ serverTime }),
  unknownSymbol: [400, { code: -1121, msg: "Invalid symbol." }],
  rateLimited: [429, { code: -1003, msg: "Too many requests." }, { "retry-after": "3" }],
});
