// The marks a stored candle may carry: bits of the column `ohlcv.flags`.

/** A flagged candle is stored all the same: a flag says "look twice", not "wrong". */
export const CANDLE_FLAGS = {
  /** Its close differs from the previous candle's by far more than is usual around it. */
  price_jump: 1,
  /** Its volume is far above what is usual before it. */
  volume_spike: 2,
  /** Its own figures contradict each other; stored only where the configuration asks for it, and kept in quarantine. */
  rule_broken: 4,
} as const satisfies Record<string, number>;

export type CandleFlag = keyof typeof CANDLE_FLAGS;
