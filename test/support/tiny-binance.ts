// The least that is a Binance: fixed klines over node:http, as its REST documentation describes them. Knows nothing of the
// simulator. Like a server that does not heed endTime, it sends the forming candle along.
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

/** open, high, low, close, volume, quote volume, trades */
export type ServedCandle = readonly [string, string, string, string, string, string, number];

const MINUTE_MS = 60_000;

export interface TinyBinance {
  readonly url: string;
  readonly port: number;
  close(): Promise<void>;
}

/**
 * @param candles one a minute from `startMs` on; the exchange's clock stands half a minute after the last but one ends
 * @param options.port 0 takes a free one
 */
export async function startTinyBinance(
  startMs: number,
  candles: readonly ServedCandle[],
  options: { readonly port?: number } = {},
): Promise<TinyBinance> {
  const nowMs = startMs + (candles.length - 1) * MINUTE_MS + MINUTE_MS / 2;
  const rows = candles.map(([open, high, low, close, volume, quoteVolume, trades], i) => {
    const openMs = startMs + i * MINUTE_MS;
    const taker = ["0.00000000", "0.00000000"];
    return [
      openMs,
      open,
      high,
      low,
      close,
      volume,
      openMs + MINUTE_MS - 1,
      quoteVolume,
      trades,
      ...taker,
      "0",
    ];
  });
  const answers: Record<string, (query: URLSearchParams) => unknown> = {
    "/api/v3/time": () => ({ serverTime: nowMs }),
    "/api/v3/exchangeInfo": () => ({
      timezone: "UTC",
      serverTime: nowMs,
      rateLimits: [{ rateLimitType: "REQUEST_WEIGHT", interval: "MINUTE", intervalNum: 1, limit: 6_000 }],
      symbols: [
        {
          symbol: "TINYUSDT",
          status: "TRADING",
          baseAsset: "TINY",
          quoteAsset: "USDT",
          isSpotTradingAllowed: true,
        },
      ],
    }),
    "/api/v3/klines": (query) =>
      rows
        .filter(([openMs]) => Number(openMs) >= Number(query.get("startTime")))
        .slice(0, Number(query.get("limit"))),
  };
  const server = createServer((request, response) => {
    const url = new URL(request.url ?? "/", "http://tiny");
    const answer = answers[url.pathname];
    response.writeHead(answer ? 200 : 404, { "content-type": "application/json" });
    response.end(JSON.stringify(answer?.(url.searchParams) ?? {}));
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(options.port ?? 0, "127.0.0.1", resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    async close() {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    },
  };
}
