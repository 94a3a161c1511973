// Keeps a collector's markets as its exchange lists them now, and tells when one can no longer be collected.
import type { Clock } from "../core/clock.js";
import { describeError, TickwellError } from "../core/fault.js";
import type { Log } from "../core/log.js";
import { formatMarketName } from "../core/model/market.js";
import type { Exchange } from "../exchanges/exchange.js";
import type { Store, StoredMarket } from "../store/store.js";
import type { Alerts } from "../upkeep/alerts/alerts.js";
import type { Series } from "../upkeep/candle-keeper.js";
import type { CollectorConfig, SymbolConfig } from "./config-types.js";
import {
  listConfiguredMarkets,
  troubleOf,
  type ConfiguredMarket,
  type UnknownSymbol,
} from "./configured-markets.js";

export interface MarketListOptions {
  readonly config: CollectorConfig;
  readonly exchange: Exchange;
  readonly store: Store;
  readonly clock: Clock;
  readonly log: Log;
  readonly alerts: Pick<Alerts, "raise" | "resolve"> | undefined;
  readonly isSimulated: boolean;
  /** Where the config was read from, for messages. */
  readonly configFile?: string | undefined;
}

/** How often the exchange is asked for its markets: all trade; one does not. */
const LIST_EVERY_MS = 3_600_000;
const LIST_TROUBLED_EVERY_MS = 300_000;

export class MarketList {
  readonly #options: MarketListOptions;
  #markets: readonly ConfiguredMarket[] | undefined;
  #unknown: readonly UnknownSymbol[] = [];
  #series: readonly Series[] = [];
  #listedMs = -Infinity;
  /** By market id, with the exchange's words. */
  #refused: ReadonlyMap<number, string> = new Map();

  constructor(options: MarketListOptions) {
    this.#options = options;
  }

  /**
   * The series to collect, as they were listed at most an hour ago. A market that has vanished has none, nor has a symbol that
   * was never listed.
   * @throws TickwellError `config` when no symbol was ever listed; the exchange's error when it has never answered
   */
  async series(signal: AbortSignal): Promise<readonly Series[]> {
    const { clock, log, config } = this.#options;
    const isTroubled =
      this.#unknown.length > 0 || (this.#markets?.some((each) => troubleOf(each) !== undefined) ?? false);
    const everyMs = isTroubled ? LIST_TROUBLED_EVERY_MS : LIST_EVERY_MS;
    if (Math.abs(clock.nowMs() - this.#listedMs) < everyMs) return this.#series;
    try {
      await this.#list(signal);
    } catch (error) {
      if (!this.#markets || signal.aborted) throw error;
      log.warn(
        `${config.name}: the markets could not be listed anew, going on with those of before: ${describeError(error)}`,
      );
    }
    this.#listedMs = clock.nowMs();
    return this.#series;
  }

  /** The markets to collect, whatever of them, as {@link series} lists them; with what the config says of each. */
  async configured(
    signal: AbortSignal,
  ): Promise<readonly { readonly market: StoredMarket; readonly symbol: SymbolConfig }[]> {
    await this.series(signal);
    return (this.#markets ?? []).flatMap((each) => {
      const symbol = this.#symbolOf(each);
      return each.hasVanished || symbol === undefined ? [] : [{ market: each.market, symbol }];
    });
  }

  /** Symbols of the config that are left out, as last listed: nobody knows them. */
  get unknown(): readonly UnknownSymbol[] {
    return this.#unknown;
  }

  /**
   * Takes what the exchange says of single markets: those it has just refused to know, each with its words. A refusal makes
   * the list be asked for at once: has the market been delisted, or renamed?
   */
  async noteRefusals(refused: ReadonlyMap<number, string>, signal: AbortSignal): Promise<void> {
    const isNew = [...refused.keys()].some((id) => !this.#refused.has(id));
    const isOver = [...this.#refused.keys()].some((id) => !refused.has(id));
    this.#refused = refused;
    if (isNew) {
      this.#listedMs = -Infinity;
      await this.series(signal);
    } else if (isOver) this.#alertAll();
  }

  async #list(signal: AbortSignal): Promise<void> {
    const { config, exchange, store, isSimulated } = this.#options;
    const { markets, unknown } = await listConfiguredMarkets(
      { exchange, store, isSimulated },
      config.symbols.map(({ symbol }) => symbol),
      signal,
    );
    if (markets.length === 0)
      throw new TickwellError(
        { kind: "config" },
        `${config.name}: nothing to collect: ${unknown.map((each) => this.#wordsOf(each)).join(" ")}`,
      );
    this.#tellUnknown(unknown);
    this.#markets = markets;
    this.#series = markets.flatMap((each) => {
      const configured = this.#symbolOf(each);
      if (each.hasVanished || !configured?.channels.includes("candles")) return [];
      return configured.timeframes.map((timeframe) => ({ market: each.market, timeframe }));
    });
    this.#alertAll();
  }

  #symbolOf({ symbol }: ConfiguredMarket): SymbolConfig | undefined {
    return this.#options.config.symbols.find((each) => each.symbol === symbol);
  }

  /** Each once in the log; all of a collector in one alert, which ends when the config or the exchange has changed. */
  #tellUnknown(unknown: readonly UnknownSymbol[]): void {
    const { alerts, config, log } = this.#options;
    for (const each of unknown)
      if (!this.#unknown.some(({ symbol }) => symbol === each.symbol))
        log.error(`${this.#wordsOf(each)} It is left out until it is listed; the others go on`);
    this.#unknown = unknown;
    const key = `symbols:${config.name}`;
    if (unknown.length > 0)
      alerts?.raise({
        key,
        severity: "warning",
        exchange: config.exchange.name,
        title: `${config.name} leaves out ${unknown.map(({ symbol }) => symbol).join(", ")}`,
        text: `${unknown.map((each) => this.#wordsOf(each)).join(" ")} The other markets go on. Correct or remove it; it is looked for again by itself.`,
      });
    else alerts?.resolve(key, `${config.name}: every symbol of the config is listed`);
  }

  /** `configs/collector/okx.yml: symbols[1].symbol: okx has no market "SLO/USDT"; did you mean okx:SOL/USDT?` */
  #wordsOf({ symbol, detail }: UnknownSymbol): string {
    const { config, configFile } = this.#options;
    const at = config.symbols.findIndex((each) => each.symbol === symbol);
    return `${configFile ?? config.name}: symbols[${at}].symbol: ${detail}${detail.endsWith("?") ? "" : "."}`;
  }

  #alertAll(): void {
    for (const market of this.#markets ?? []) this.#alert(market);
  }

  #alert(configured: ConfiguredMarket): void {
    const { alerts } = this.#options;
    const { market } = configured;
    const key = `market:${formatMarketName(market)}`;
    const trouble = troubleOf(configured, this.#refused.get(market.id));
    if (trouble) alerts?.raise({ key, severity: "warning", exchange: market.exchange, ...trouble });
    else alerts?.resolve(key, `${formatMarketName(market)} is listed and traded again`);
  }
}
