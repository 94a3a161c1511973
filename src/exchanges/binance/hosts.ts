// Binance spot's hosts for market data.

/** No key, no accounts, and not bound to a place as api.binance.com is. */
export const OPEN_REST_URL = "https://data-api.binance.vision";
/** The only one that tells raw trades of the past, and refuses some places. */
export const MAIN_REST_URL = "https://api.binance.com";
