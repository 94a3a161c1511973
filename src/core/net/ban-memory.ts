// Bans outlive the process: a banned host must not be asked again after a restart, or the ban grows.

/** No exchange bans for longer: an end beyond it was written by a clock that was wrong. */
export const BAN_MAX_MS = 3 * 86_400_000;

/** Where bans are kept between runs, by host (`data-api.binance.vision`). */
export interface BanMemory {
  /** The end of the ban in epoch milliseconds; undefined when there is none on record. */
  load(host: string): Promise<number | undefined>;
  save(host: string, ban: { untilMs: number; reason: string }): Promise<void>;
}

/** Forgets with the process: for tools that run before there is a store. */
export function transientBanMemory(): BanMemory {
  const bans = new Map<string, number>();
  return {
    load: async (host) => bans.get(host),
    save: async (host, { untilMs }) => void bans.set(host, untilMs),
  };
}
