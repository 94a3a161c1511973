// What we know of a ban on one host: loaded at first use, so that a restart does not forget it.
import type { Clock } from "../core/clock.js";
import { describeError, TickwellError } from "../core/fault.js";
import { untilAborted } from "../core/net/abort.js";
import { BAN_MAX_MS, type BanMemory } from "../core/net/ban-memory.js";
import { Pause } from "../core/net/pause.js";
import { formatTime } from "../core/time.js";
import type { ExchangeOptions } from "./exchange.js";

export class HostBan {
  readonly #exchange: string;
  readonly #host: string;
  readonly #clock: Clock;
  readonly #memory: BanMemory;
  readonly #log: ExchangeOptions["log"];
  readonly #pause = new Pause();
  #loading: Promise<void> | undefined;

  constructor(
    { exchange, host }: { exchange: string; host: string },
    { clock, bans, log }: Pick<ExchangeOptions, "clock" | "bans" | "log">,
  ) {
    this.#exchange = exchange;
    this.#host = host;
    this.#clock = clock;
    this.#memory = bans;
    this.#log = log;
  }

  /** @throws TickwellError `ip_ban`; what the memory threw: without it we do not know whether we may ask */
  async check(signal: AbortSignal): Promise<void> {
    this.#loading ??= this.#load();
    await untilAborted(this.#loading, signal);
    this.checkKnown();
  }

  /** @throws TickwellError `ip_ban` for a ban that came since {@link HostBan.check} */
  checkKnown(): void {
    const { untilMs } = this;
    if (untilMs === undefined) return;
    throw new TickwellError(
      { kind: "ip_ban", untilMs },
      `${this.#exchange}: ${this.#host} has banned this IP until ${formatTime(untilMs)}; nothing is asked before`,
    );
  }

  /** Epoch ms of our clock; undefined when there is no ban now, as far as we know. */
  get untilMs(): number | undefined {
    return this.#pause.endMs(this.#clock.nowMs());
  }

  async keep(ban: { untilMs: number; reason: string }): Promise<void> {
    this.#pause.extend({ nowMs: this.#clock.nowMs(), untilMs: ban.untilMs });
    try {
      await this.#memory.save(this.#host, { untilMs: this.untilMs ?? ban.untilMs, reason: ban.reason });
    } catch (error) {
      // The ban holds for this process; only a restart would forget it.
      this.#log.error({ host: this.#host, error: describeError(error) }, "could not store an IP ban");
    }
  }

  async #load(): Promise<void> {
    try {
      const untilMs = await this.#memory.load(this.#host);
      if (untilMs !== undefined) this.#heed(untilMs);
    } catch (error) {
      this.#loading = undefined;
      throw error;
    }
  }

  /** Believes a stored end that can be one. Asking tells when a ban ends; a wrong clock would stop us for years. */
  #heed(untilMs: number): void {
    const nowMs = this.#clock.nowMs();
    if (untilMs - nowMs <= BAN_MAX_MS) {
      this.#pause.extend({ nowMs, untilMs });
      return;
    }
    this.#log.warn(
      `${this.#exchange}: a ban by ${this.#host} is on record until ${formatTime(untilMs)}, later than any ban ends; it is not believed, and the host is asked`,
    );
  }
}
