import { expect, it } from "vitest";
import { formatMarketName, parseMarketName } from "../../../../src/core/model/market.js";

it("splits a market's name at its first colon, for a perpetual's symbol holds another", () => {
  expect(parseMarketName("okx:BTC/USDT:USDT")).toEqual({ exchange: "okx", symbol: "BTC/USDT:USDT" });
});

it.each(["", ":", "binance", "binance:", ":BTC/USDT"])("takes %j for no market's name", (text) => {
  expect(parseMarketName(text)).toBeUndefined();
});

it("writes a market's name as it reads it", () => {
  expect(formatMarketName({ exchange: "binance", symbol: "BTC/USDT" })).toBe("binance:BTC/USDT");
});
