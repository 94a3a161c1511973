import { beforeEach, describe, expect, it } from "vitest";
import { createLog, type Log } from "../../../src/core/log.js";

let lines: string[];
let nowMs: number;
beforeEach(() => {
  lines = [];
  nowMs = 0;
});
const newLog = (secrets: readonly string[] = []): Log =>
  createLog({
    level: "info",
    isPretty: false,
    hasColor: false,
    secrets,
    nowMs: () => nowMs,
    stream: { write: (line) => void lines.push(line) },
  });
const records = (): Record<string, unknown>[] =>
  lines.map((line) => JSON.parse(line) as Record<string, unknown>);

describe("log", () => {
  it("writes one JSON object a line, with level, time and fields", () => {
    newLog().info({ market: "okx:BTC/USDT" }, "fetched");
    expect(lines).toHaveLength(1);
    expect(records()[0]).toEqual({
      level: "info",
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/) as string,
      market: "okx:BTC/USDT",
      msg: "fetched",
    });
  });

  it("shows no secret: of messages, fields, errors or children, escaped or not", () => {
    const log = newLog(['tok"en-123456', "https://hooks.example/T0/B1"]);
    log.info(
      { url: "postgres://me:hunter22@db:5432/x", token: 'tok"en-123456' },
      "to https://hooks.example/T0/B1",
    );
    log.child({ auth: 'Bearer tok"en-123456' }).error(new Error("redis://:hunter22@cache:6379 is away"));
    const text = lines.join("");
    expect(text).not.toMatch(/hunter22|en-123456|T0\/B1/);
    expect(records()).toMatchObject([
      { url: "postgres://me:***@db:5432/x", token: "***", msg: "to ***" },
      { auth: "Bearer ***", msg: "redis://:***@cache:6379 is away" },
    ]);
  });

  it("leaves a line as it is that has an address and an at sign", () => {
    newLog().warn({ next: "kept" }, "ws://127.0.0.1:7400/x?secret=1 broke; ask me@example.org");
    expect(records()[0]).toMatchObject({
      msg: "ws://127.0.0.1:7400/x?secret=*** broke; ask me@example.org",
      next: "kept",
    });
  });

  it("tells errors without a message of ours apart by their own", () => {
    const log = newLog();
    for (let i = 0; i < 10; i++) {
      log.error(new Error("the disk is full"));
      log.error({ err: new Error("no route") });
    }
    for (let i = 0; i < 10; i++) log.error({ code: i });
    const said = records().map(({ msg, code }) => msg ?? code);
    expect(said.filter((each) => each === "the disk is full")).toHaveLength(5);
    expect(said.filter((each) => each === "no route")).toHaveLength(5);
    // What has no words is nobody's repetition.
    expect(said.filter((each) => typeof each === "number")).toHaveLength(10);
  });

  it("leaves out no alert: each is told once", () => {
    const log = newLog();
    for (let i = 0; i < 10; i++)
      log.warn({ alert: "trouble", key: `gap:${i}` }, `M${i}/USDT: a gap stays open`);
    expect(lines).toHaveLength(10);
  });

  it("counts warnings that repeat themselves, says how many there were, and leaves other lines alone", () => {
    const log = newLog();
    for (let i = 0; i < 100; i++) {
      log.warn(`attempt ${i} failed`);
      if (i < 10) log.info("still here");
    }
    expect(records().filter(({ level }) => level === "warn")).toHaveLength(5);
    expect(records().filter(({ level }) => level === "info")).toHaveLength(10);
    nowMs = 60_000;
    log.warn("attempt 100 failed");
    expect(
      records()
        .slice(-2)
        .map(({ level, msg }) => [level, msg]),
    ).toEqual([
      ["warn", "95 more of this kind were left out; the last: attempt 99 failed"],
      ["warn", "attempt 100 failed"],
    ]);
  });
});
