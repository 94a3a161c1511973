// The exchanges one simulator process can be, by ccxt's ids.
export const VENUE_NAMES = ["binance", "binanceusdm", "okx"] as const;

export type VenueName = (typeof VENUE_NAMES)[number];

export function isVenueName(text: string): text is VenueName {
  return (VENUE_NAMES as readonly string[]).includes(text);
}
