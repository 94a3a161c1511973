// "Did you mean": the known name that was probably meant. A suggestion that is far off misleads, so there is none then.
import { closest, distance } from "fastest-levenshtein";

/** The known name that was probably meant; undefined when none is near. */
export function nearestName(name: string, known: readonly string[]): string | undefined {
  if (known.length === 0) return undefined;
  const lower = name.toLowerCase();
  const near = closest(lower, [...known]);
  // Two slips, or one swap of neighbours, in a word; one in a name as short as 1m.
  const slipsMax = name.length <= 2 ? 1 : Math.max(2, Math.floor(near.length / 3));
  return distance(lower, near) <= slipsMax ? near : undefined;
}

/** `, did you mean 1m?`; a full stop's place is left to `;` where no name is near. */
export function didYouMean(name: string, known: readonly string[]): string {
  const near = nearestName(name, known);
  return near === undefined ? ";" : `, did you mean ${near}?`;
}
