// What becomes of symbols the exchange does not list: known before, or never.
import { describe, expect, it } from "vitest";
import { resolveCollector } from "../../../src/app/config-resolve.js";
import { collectorSchema } from "../../../src/app/config-schema.js";
import { formatSeries } from "../../../src/app/collector.js";
import { MarketList } from "../../../src/app/market-list.js";
import type { Log } from "../../../src/core/log.js";
import type { MarketInfo } from "../../../src/core/model/market.js";
import type { Exchange } from "../../../src/exchanges/exchange.js";
import type { Store, StoredMarket } from "../../../src/store/store.js";
import type { Alert } from "../../../src/upkeep/alerts/alert-message.js";

const never = new AbortController().signal;
const market = (symbol: string): MarketInfo => {
  const [baseAsset = "", quoteAsset = ""] = symbol.split("/");
  return {
    symbol,
    nativeSymbol: baseAsset + quoteAsset,
    baseAsset,
    quoteAsset,
    marketType: "spot",
    isActive: true,
  };
};

/** A list of these symbols, an exchange that lists what it is told to, and what was said. */
function newList(symbols: readonly string[], { known = [] }: { known?: readonly string[] } = {}) {
  const stored: StoredMarket[] = [];
  const put = (markets: readonly MarketInfo[]): StoredMarket[] =>
    markets.map((each) => {
      const at = stored.findIndex(({ symbol }) => symbol === each.symbol);
      const id = at < 0 ? stored.length + 1 : at + 1;
      return (stored[id - 1] = { ...each, id, exchange: "okx", isSimulated: true });
    });
  put(known.map(market));
  const said = { errors: [] as string[], open: new Map<string, Alert>(), listed: [] as string[] };
  let nowMs = 0;
  const list = new MarketList({
    config: resolveCollector(
      collectorSchema.parse({ exchange: "okx", symbols: symbols.map((symbol) => ({ symbol })) }),
      "mine",
    ),
    exchange: { id: "okx", fetchMarkets: async () => said.listed.map(market) } as unknown as Exchange,
    store: {
      listMarkets: async () => [...stored],
      putMarkets: async (_: string, markets: readonly MarketInfo[]) => put(markets),
    } as unknown as Store,
    clock: { nowMs: () => nowMs, sleep: async () => undefined },
    log: { error: (line: string) => void said.errors.push(line), warn: () => undefined } as unknown as Log,
    alerts: {
      raise: (alert) => void said.open.set(alert.key, alert),
      resolve: (key) => void said.open.delete(key),
    },
    isSimulated: true,
    configFile: "configs/collector/mine.yml",
  });
  return {
    said,
    list,
    after: (ms: number) => void (nowMs += ms),
    series: async () => (await list.series(never)).map(formatSeries),
  };
}

describe("a market list", () => {
  it("leaves out a symbol that was never listed, says where it stands, and collects it once it is listed", async () => {
    const { said, list, after, series } = newList(["SLO/USDT", "BTC/USDT"]);
    said.listed = ["BTC/USDT", "SOL/USDT"];
    expect(await series()).toEqual(["okx:BTC/USDT 1m"]);
    expect((await list.configured(never)).map(({ symbol }) => symbol.symbol)).toEqual(["BTC/USDT"]);
    const words =
      'configs/collector/mine.yml: symbols[0].symbol: okx has no market "SLO/USDT"; did you mean okx:SOL/USDT, okx:BTC/USDT?';
    expect(said.errors).toEqual([`${words} It is left out until it is listed; the others go on`]);
    expect([...said.open.values()]).toMatchObject([
      { key: "symbols:mine", severity: "warning", title: "mine leaves out SLO/USDT" },
    ]);
    expect(list.unknown.map(({ symbol }) => symbol)).toEqual(["SLO/USDT"]);
    after(300_000);
    await series();
    expect(said.errors).toHaveLength(1);
    said.listed.push("SLO/USDT");
    after(300_000);
    expect(await series()).toEqual(["okx:SLO/USDT 1m", "okx:BTC/USDT 1m"]);
    expect(said.open.size).toBe(0);
  });

  it("takes one that was collected before for delisted: an alert, and the others go on", async () => {
    const { said, series } = newList(["SLO/USDT", "BTC/USDT"], { known: ["SLO/USDT"] });
    said.listed = ["BTC/USDT"];
    expect(await series()).toEqual(["okx:BTC/USDT 1m"]);
    expect([...said.open.keys()]).toEqual(["market:okx:SLO/USDT"]);
    expect(said.errors).toEqual([]);
  });

  it("has nothing to collect when nobody knows any of its symbols", async () => {
    const { said, list } = newList(["SLO/USDT", "BTC/USDX"]);
    said.listed = ["BTC/USDT"];
    await expect(list.series(never)).rejects.toMatchObject({
      fault: { kind: "config" },
      message: expect.stringMatching(/^mine: nothing to collect: .*SLO.*symbols\[1\].*BTC\/USDX/) as string,
    });
  });
});
