import { createBinance } from "../../../src/exchanges/binance/index.js";
import { createBinanceUsdm } from "../../../src/exchanges/binance/usdm.js";
import { createOkx } from "../../../src/exchanges/okx/index.js";
import {
  describeExchangeConformance,
  type VenueWire,
  type WireTrade,
} from "../../conformance/exchange-conformance.js";

const PRICE = "42000.10000000";

const binanceWire = {
  nativeSymbol: "BTCUSDT",
  candles(openTimesMs, { open = PRICE, isBackwards = false } = {}) {
    const rows = openTimesMs.map((openMs) => [
      openMs,
      open,
      PRICE,
      PRICE,
      PRICE,
      "1.50000000",
      openMs + 59_999,
      "63000.15000000",
      7,
      "0",
      "0",
      "0",
    ]);
    return isBackwards ? rows.toReversed() : rows;
  },
  trades: (trades) =>
    trades.map(({ id, timeMs }) => ({ a: id, p: PRICE, q: "1.50000000", f: id, l: id, T: timeMs, m: true })),
  tradePageRowsMax: 1_000,
  serverTime: (serverTime) => ({ serverTime }),
  unknownSymbol: [400, { code: -1121, msg: "Invalid symbol." }],
  rateLimited: [429, { code: -1003, msg: "Too many requests." }, { "retry-after": "3" }],
} satisfies Partial<VenueWire>;

const listed = { symbol: "BTCUSDT", baseAsset: "BTC", quoteAsset: "USDT" };

describeExchangeConformance("binance", {
  ...binanceWire,
  create: createBinance,
  symbol: "BTC/USDT",
  markets: {
    symbols: [
      { ...listed, status: "TRADING" },
      { ...listed, symbol: "LUNAUSDT", status: "BREAK" },
    ],
  },
});

const contract = {
  ...listed,
  contractType: "PERPETUAL",
  marginAsset: "USDT",
  onboardDate: 1_569_398_400_000,
};

describeExchangeConformance("binanceusdm", {
  ...binanceWire,
  create: createBinanceUsdm,
  symbol: "BTC/USDT:USDT",
  markets: {
    symbols: [
      { ...contract, status: "TRADING" },
      { ...contract, symbol: "LUNAUSDT", status: "SETTLING" },
      { ...contract, symbol: "BTCUSDT_260327", contractType: "CURRENT_QUARTER", status: "TRADING" },
    ],
  },
});

const okxAnswer = (data: readonly unknown[]) => ({ code: "0", msg: "", data });
const okxTrades = (trades: readonly WireTrade[], instId: string) =>
  okxAnswer(
    trades
      .map(({ id, timeMs }) => ({
        instId,
        side: "sell",
        sz: "1.5",
        px: "42000.1",
        tradeId: String(id),
        ts: String(timeMs),
      }))
      .toReversed(),
  );
const okxCandle = (openMs: number, open: string, confirm: string) => [
  String(openMs),
  open,
  "42000.1",
  "42000.1",
  "42000.1",
  "1.5",
  "63000.15",
  "63000.15",
  confirm,
];
const spot = {
  instId: "BTC-USDT",
  baseCcy: "BTC",
  quoteCcy: "USDT",
  state: "live",
  listTime: "1611907686000",
};
const swap = { ctType: "linear", settleCcy: "USDT", uly: "BTC-USDT", ctVal: "0.01", ctMult: "1" };

describeExchangeConformance("okx", {
  create: createOkx,
  nativeSymbol: "BTC-USDT",
  symbol: "BTC/USDT",
  candles(openTimesMs, { open = "42000.1", isBackwards = false } = {}) {
    const rows = openTimesMs.map((openMs) => okxCandle(openMs, open, "1"));
    return okxAnswer(isBackwards ? rows : rows.toReversed());
  },
  trades: (trades) => okxTrades(trades, "BTC-USDT"),
  tradePageRowsMax: 100,
  serverTime: (timeMs) => okxAnswer([{ ts: String(timeMs) }]),
  // The stub gives this to both questions; the fields of both lists stand in each entry.
  markets: okxAnswer([
    { ...swap, ...spot },
    { ...swap, ...spot, instId: "LUNA-USDT", state: "suspend" },
  ]),
  unknownSymbol: [200, { code: "51001", msg: "Instrument ID does not exist", data: [] }],
  rateLimited: [429, { code: "50011", msg: "Too Many Requests", data: [] }, {}],
  errorInAnswer: { body: { code: "50026", msg: "System error", data: [] }, kind: "exchange" },
  foreignTrades: okxTrades([{ id: 5, timeMs: Date.UTC(2026, 0, 5, 11, 0, 1) }], "ETH-USDT"),
  formingCandle: (openMs) => okxAnswer([okxCandle(openMs, "42000.1", "0")]),
});
