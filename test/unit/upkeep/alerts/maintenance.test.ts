import { describe, expect, it } from "vitest";
import { endOfMaintenance, type MaintenanceWindow } from "../../../../src/upkeep/alerts/maintenance.js";

const window = (startMs: number, endMs: number, exchange?: string): MaintenanceWindow => ({
  startMs,
  endMs,
  exchange,
});
const windows = [
  window(100, 200, "binance"),
  window(150, 300),
  window(300, 400, "binance"),
  window(900, 950),
];

describe("endOfMaintenance", () => {
  it.each([
    ["before a window", "binance", 99, 99],
    ["from its first millisecond, through those that overlap or follow at once", "binance", 100, 400],
    ["only in windows of its own exchange and of all", "okx", 100, 100],
    ["in a window of all exchanges", "okx", 150, 300],
    ["at its end, which is outside", "okx", 300, 300],
    ["where it is about no exchange", undefined, 299, 300],
    ["where it is about no exchange and another one's window is open", undefined, 399, 399],
  ])("waits %s", (_name, exchange, nowMs, endMs) => {
    expect(endOfMaintenance(windows, { exchange, nowMs })).toBe(endMs);
  });
});
