// The one source of chance, handed in wherever it is needed, so that a seed replays a run.

export interface Random {
  /** A number in [0, 1). */
  next(): number;
}

/** Not repeatable: for jitter in production. */
export const systemRandom: Random = { next: () => Math.random() };

/** Repeatable from its seed (mulberry32, public domain, by Tommy Ettinger). Good enough for jitter and fault plans, not for secrets. */
export function seededRandom(seed: number): Random {
  let state = seed | 0;
  return {
    next() {
      state = (state + 0x6d2b79f5) | 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296;
    },
  };
}
