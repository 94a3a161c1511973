// Times to the microsecond, as PostgreSQL keeps them and JavaScript's dates do not.

/** ISO-8601 of epoch microseconds. */
export function timeOfMicroseconds(us: number): string {
  const micro = ((us % 1_000) + 1_000) % 1_000;
  return new Date(Math.floor(us / 1_000)).toISOString().replace("Z", `${String(micro).padStart(3, "0")}Z`);
}
