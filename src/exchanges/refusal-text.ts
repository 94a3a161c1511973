// Words to quote of a venue's refusal.

const TEXT_CHARS_MAX = 200;

/** Words of a refusal, on one line and cut: a firewall's page is long. */
export function quotable(text: string): string {
  const line = text
    .replace(/<[^>]*>/g, " ")
    .replace(/\s+/g, " ")
    .trim();
  return line.length > TEXT_CHARS_MAX ? `${line.slice(0, TEXT_CHARS_MAX)}…` : line;
}
