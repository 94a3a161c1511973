// Stateless chance: a number from a seed and one or two indices, so that any instant can be drawn without those before.

/** Spreads every bit of a 32-bit integer over all others (the finalizer of MurmurHash3, public domain). */
export function mix32(value: number): number {
  let h = value | 0;
  h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
  h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
  return h ^ (h >>> 16);
}

/** A 32-bit integer for an index under a seed. */
export function hash2(seed: number, index: number): number {
  return mix32(mix32(index ^ 0x9e3779b9) + Math.imul(seed, 0x27d4eb2f));
}

/** A 32-bit integer for a pair of indices under a seed. */
export function hash3(seed: number, major: number, minor: number): number {
  return hash2(hash2(seed, major), minor);
}

/** A 32-bit integer for a text under a seed. */
export function hashText(seed: number, text: string): number {
  let h = mix32(seed);
  for (let i = 0; i < text.length; i++) h = mix32(h ^ Math.imul(text.charCodeAt(i) + 1, 0x01000193));
  return h;
}

/** A 32-bit integer as a fraction in [0, 1). */
export function fraction(hash: number): number {
  return (hash >>> 0) / 4_294_967_296;
}
