import { describe, expect, it } from "vitest";
import { classifyError } from "../../../../src/core/fault.js";
import { OkxCandles } from "../../../../src/exchanges/okx/candle-page.js";
import type { RestClient, RestRequest } from "../../../../src/exchanges/rest-client.js";

const MINUTE_MS = 60_000;
const NOW_MS = 28_000_000 * MINUTE_MS;
const never = new AbortController().signal;

/** OKX with candles from `fromMs` on, of which its endpoints know what `knows` says. */
function candlesOf(knows: (endpoint: string, openTimeMs: number) => boolean): OkxCandles {
  const client: Pick<RestClient, "get"> = {
    get<T>({ endpoint, params, read }: RestRequest<T>): Promise<T> {
      const rows: string[][] = [];
      for (
        let timeMs = Number(params.after) - MINUTE_MS;
        timeMs > Number(params.before);
        timeMs -= MINUTE_MS
      ) {
        if (!knows(endpoint, timeMs)) continue;
        rows.push([String(timeMs), "1", "2", "1", "2", "3", "3", "3", "1"]);
        if (rows.length === Number(params.limit)) break;
      }
      return Promise.resolve().then(() => read({ code: "0", msg: "", data: rows }));
    },
  };
  const market = { nativeSymbol: "BTC-USDT", timeframe: "1m", isSwap: false } as const;
  return new OkxCandles(client as RestClient, market, { nowMs: NOW_MS, signal: never });
}

const range = (
  fromMinutes: number,
): { nativeSymbol: string; timeframe: "1m"; fromMs: number; toMs: number; limit: number } => ({
  nativeSymbol: "BTC-USDT",
  timeframe: "1m",
  fromMs: NOW_MS - fromMinutes * MINUTE_MS,
  toMs: NOW_MS,
  limit: 300,
});

describe("the endpoint for older candles", () => {
  it("is not believed when it denies all of a range in which the other one has candles of hours ago", async () => {
    const candles = candlesOf((endpoint, timeMs) => !endpoint.includes("history") && timeMs < NOW_MS);
    const error = await candles.fetchPage(range(5_000)).then(
      () => undefined,
      (thrown: unknown) => thrown,
    );
    expect(classifyError(error).kind).toBe("malformed_payload");
    expect(String(error)).toContain("history-candles has no row of a range in which candles has some");
  });

  it("may lag behind the other one by the first hour of a listing", async () => {
    const listedMs = NOW_MS - 60 * MINUTE_MS;
    const candles = candlesOf(
      (endpoint, timeMs) => !endpoint.includes("history") && timeMs >= listedMs && timeMs < NOW_MS,
    );
    const page = await candles.fetchPage(range(5_000));
    expect(page.candidates[0]?.openTimeMs).toBe(listedMs);
  });
});
