// `tickwell replay <capture…> [--speed X|max]`: raw captures through the pipeline again. What is stored already stays as it is.
import { stat, readdir } from "node:fs/promises";
import { join } from "node:path";
import type { Command } from "commander";
import { systemClock } from "../../core/clock.js";
import { createExchange, isExchangeName } from "../../exchanges/registry.js";
import { readCaptures, type CaptureEnd } from "../../pipeline/capture/capture-reader.js";
import { CAPTURE_FILE } from "../../pipeline/capture/capture-writer.js";
import { replayCapture, type ReplayReport } from "../../pipeline/capture/replay.js";
import { Pipeline } from "../../pipeline/pipeline.js";
import type { Store } from "../../store/store.js";
import { usageError } from "../arguments.js";
import type { CommandContext, GlobalOptions } from "../command-context.js";
import type { TradeGrain } from "../../core/model/trade.js";
import { formatMinute } from "../../core/time.js";
import { loadSettings, withStore } from "../settings.js";
import { formatCount } from "../table.js";

interface ReplayCommandOptions extends GlobalOptions {
  readonly speed?: string;
}

/** Real time, between two lines of progress. */
const TELL_EVERY_MS = 2_000;

export function addReplayCommand(program: Command, context: CommandContext): void {
  program
    .command("replay")
    .description("feed raw captures through the pipeline, into the database of the config")
    .argument("<captures...>", "files, or folders of them; all parts of a session")
    .option("--speed <factor>", "times the speed of life, such as 1 or 60; default max", "max")
    .action(async (paths: readonly string[], _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<ReplayCommandOptions>();
      const speed = readSpeed(options.speed);
      const files = await findCaptures(paths);
      const { instance } = await loadSettings(options);
      await withStore(context, options, { url: instance.storage.url, role: "owner" }, (store) =>
        replayFiles(store, { files, speed, stageRowsMax: instance.stage.itemsMax, options, context }),
      );
    });
}

function readSpeed(text: string | undefined): number | undefined {
  if (text === undefined || text === "max") return undefined;
  const speed = Number(text);
  if (Number.isFinite(speed) && speed > 0) return speed;
  throw usageError(`--speed: found "${text}", expected max or a number above 0, such as 60`);
}

/** @throws TickwellError `config` where nothing is found */
async function findCaptures(paths: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const path of paths) {
    const found = await stat(path).catch(() => undefined);
    if (found === undefined) throw usageError(`replay: there is no ${path}`);
    if (!found.isDirectory()) files.push(path);
    else {
      const names = (await readdir(path)).filter((name) => CAPTURE_FILE.test(name));
      if (names.length === 0)
        throw usageError(`replay: ${path} holds no captures; capture.enabled in tickwell.yml makes them`);
      files.push(...names.map((name) => join(path, name)));
    }
  }
  return files;
}

async function replayFiles(
  store: Store,
  {
    files,
    speed,
    stageRowsMax,
    options,
    context,
  }: {
    files: readonly string[];
    speed: number | undefined;
    stageRowsMax: number;
    options: ReplayCommandOptions;
    context: CommandContext;
  },
): Promise<void> {
  const { log, signal, stderr, stdout } = context;
  const pipeline = new Pipeline({ store, clock: systemClock, log, stageRowsMax });
  const bounded = AbortSignal.any([signal, pipeline.failure]);
  const ends: CaptureEnd[] = [];
  let toldMs = systemClock.nowMs();
  let report: ReplayReport;
  try {
    report = await replayCapture(
      readCaptures(files, (end) => {
        ends.push(end);
        if (end.isCutOff)
          stderr(
            `${end.file} was cut off: its first ${formatCount(end.events)} events are replayed, and what came after is a gap\n`,
          );
      }),
      { store, stage: pipeline.stage, exchangeOf: venueOf, speed, clock: systemClock },
      bounded,
      (event, soFar) => {
        if (event.kind !== "flush" || systemClock.nowMs() - toldMs < TELL_EVERY_MS) return;
        toldMs = systemClock.nowMs();
        stderr(`${formatMinute(event.atMs)} UTC: ${counts(soFar)}\n`);
      },
    );
  } finally {
    await pipeline.close();
  }
  await store.refreshAggregates(signal);
  const cutOff = ends.filter(({ isCutOff }) => isCutOff).map(({ file }) => file);
  stdout(
    options.json
      ? `${JSON.stringify({ files, cut_off: cutOff, ...report })}\n`
      : `${formatCount(files.length)} ${files.length === 1 ? "file" : "files"}, ${formatCount(report.sessions)} ${report.sessions === 1 ? "session" : "sessions"}: ${counts(report)}; what was stored before is unchanged\n`,
  );
}

function counts({ frames, trades, candles, books }: ReplayReport): string {
  return `${formatCount(frames)} frames, ${formatCount(trades)} trades, ${formatCount(candles)} candles, ${formatCount(books)} order books`;
}

function venueOf(id: string, trades: TradeGrain | undefined): ReturnType<typeof createExchange> {
  if (!isExchangeName(id))
    throw usageError(`replay: the capture is of exchange "${id}", which this version has no adapter for`);
  return createExchange(id, { trades });
}
