import { describe, expect, it } from "vitest";
import { classifyError } from "../../../src/core/fault.js";
import { createExchange, EXCHANGES } from "../../../src/exchanges/registry.js";

function thrownBy(run: () => unknown): unknown {
  try {
    run();
  } catch (error) {
    return error;
  }
  return undefined;
}

describe("createExchange", () => {
  it.each(EXCHANGES)("makes %s with nothing but its name", async (name) => {
    const exchange = createExchange(name);
    expect(exchange.id).toBe(name);
    expect(exchange.restUrl).toMatch(/^https:\/\//);
    await exchange.close();
  });

  it("asks the open market-data mirror of Binance unless told otherwise", async () => {
    const exchange = createExchange("binance");
    expect(exchange.restUrl).toBe("https://data-api.binance.vision");
    await exchange.close();
  });

  it("names the nearest exchange when it does not know one", () => {
    const error = thrownBy(() => createExchange("binnance"));
    expect(classifyError(error)).toEqual({ kind: "config" });
    expect(String(error)).toContain("did you mean binance?");
  });

  it("does not take a property of every object for an exchange", () => {
    expect(classifyError(thrownBy(() => createExchange("constructor")))).toEqual({ kind: "config" });
  });

  it.each(["", "data-api.binance.vision", "ftp://host/", "localhost:80"])(
    "refuses %j as an address",
    (restUrl) => {
      expect(classifyError(thrownBy(() => createExchange("binance", { restUrl })))).toEqual({
        kind: "config",
      });
    },
  );
});
