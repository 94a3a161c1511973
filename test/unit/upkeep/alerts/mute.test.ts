import { describe, expect, it } from "vitest";
import { endOfMute } from "../../../../src/upkeep/alerts/mute.js";

const NOW_MS = 1_000;
const end = (pattern: string, key: string, untilMs?: number): number =>
  endOfMute([{ key: pattern, untilMs }], { key, nowMs: NOW_MS });

describe("endOfMute", () => {
  it.each([
    ["quality:*", "quality:binance:BTC/USDT 1m"],
    ["*", "disk:data"],
    ["gap:*BTC*1m", "gap:okx:BTC/USDT:USDT 1m"],
    ["ban:okx", "ban:okx"],
    ["*:okx*trades", "lag:okx trades"],
  ])("%s mutes %s", (pattern, key) => expect(end(pattern, key)).toBe(Infinity));

  it.each([
    ["quality:*", "gap:quality:x"],
    ["ban:okx", "ban:okx2"],
    ["ban:okx", "aban:okx"],
    ["gap:*BTC*BTC", "gap:okx:BTC"],
    ["a*a", "a"],
    ["gap:.*", "gap:okx"],
  ])("%s leaves %s alone", (pattern, key) => expect(end(pattern, key)).toBe(NOW_MS));

  it("takes the latest end of those that match, and none that is over", () => {
    expect(end("a", "a", 5_000)).toBe(5_000);
    expect(end("a", "a", 500)).toBe(NOW_MS);
    const mutes = [
      { key: "a*", untilMs: 3_000 },
      { key: "*b", untilMs: 7_000 },
      { key: "c", untilMs: undefined },
    ];
    expect(endOfMute(mutes, { key: "ab", nowMs: NOW_MS })).toBe(7_000);
  });
});
