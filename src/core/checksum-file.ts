// Checksum files as archives publish them beside their own: `<sha256 in hex>  <file name>`, as sha256sum writes them.

/** The sum in lower-case hex; undefined when the text is none. */
export function sha256OfChecksum(text: string): string | undefined {
  return /^([0-9a-fA-F]{64})(?:\s|$)/.exec(text)?.[1]?.toLowerCase();
}
