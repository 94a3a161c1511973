// Debian's Chromium, started so that it asks nobody outside.
import { existsSync } from "node:fs";
import { chromium, type Browser } from "playwright-core";

const PATH = "/usr/bin/chromium";
/** In CI its absence is a failure, not a reason to skip. */
export const hasChromium = existsSync(PATH) || process.env.CI === "true";

export function launchChromium(): Promise<Browser> {
  return chromium.launch({
    executablePath: PATH,
    args: [
      "--no-sandbox",
      "--disable-gpu",
      "--disable-quic",
      "--no-first-run",
      "--disable-background-networking",
      "--disable-component-update",
      "--disable-sync",
    ],
  });
}
