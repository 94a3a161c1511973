// Addresses and names that only this machine can reach.

/** `127.0.0.1`, `::1`, `[::1]`, `localhost`. */
export function isLoopback(host: string): boolean {
  const name = host.toLowerCase();
  return name === "localhost" || name === "::1" || name === "[::1]" || /^127(\.\d{1,3}){3}$/.test(name);
}
