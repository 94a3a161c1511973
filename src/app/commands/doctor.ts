// `tickwell doctor`: whether everything that is needed is there, and what to do where it is not.
import { constants } from "node:fs";
import { access, mkdir, statfs } from "node:fs/promises";
import { arch, platform } from "node:os";
import { resolve } from "node:path";
import type { Command } from "commander";
import { systemClock } from "../../core/clock.js";
import { formatDuration, formatSize } from "../../core/duration.js";
import { classifyError, describeError } from "../../core/fault.js";
import { transientBanMemory } from "../../core/net/ban-memory.js";
import { EXCHANGES } from "../../exchanges/registry.js";
import { examineRedis, REDIS_VERSION_MIN } from "../../pipeline/stage/redis-health.js";
import { describeCapabilities } from "../../store/capabilities.js";
import { EXIT, type CommandContext, type GlobalOptions } from "../command-context.js";
import { channelsOf, describePlan } from "../connection-plan-words.js";
import type { CollectorConfig, TickwellConfig } from "../config-types.js";
import { exchangeFor } from "../exchange-for.js";
import { hasStreams } from "../has-streams.js";
import { collectorFor, loadSettings, withStore } from "../settings.js";
import { formatTable } from "../table.js";
import { VERSION } from "../version.js";

interface Finding {
  readonly check: string;
  readonly state: "ok" | "warning" | "failed";
  readonly found: string;
  /** What to do about it. */
  readonly remedy?: string;
}

const NODE_MAJOR_MIN = 20;
/** Less free space than this is worth a word: a year of 1m candles of a hundred markets takes about 8 GB. */
const DISK_WARN_BYTES = 5 * 1_024 ** 3;
const HOST_TIMEOUT_MS = 5_000;
const SKEW_WARN_MS = 1_000;

export function addDoctorCommand(program: Command, context: CommandContext): void {
  program
    .command("doctor")
    .description("check hosts, clock, versions, disk, rights and the plan of connections, and say what to do")
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const findings = await examine(options, context);
      if (options.json) context.stdout(`${JSON.stringify({ findings }, undefined, 2)}\n`);
      else context.stdout(formatFindings(findings));
      context.setExitStatus(findings.some((finding) => finding.state === "failed") ? EXIT.failed : EXIT.done);
    });
}

async function examine(options: GlobalOptions, context: CommandContext): Promise<Finding[]> {
  const findings = [checkVersions()];
  let settings: TickwellConfig;
  try {
    settings = await loadSettings(options);
    const files = [settings.files.instance, ...settings.files.collectors].filter(
      (file) => file !== undefined,
    );
    findings.push({
      check: "config",
      state: "ok",
      found: files.length === 0 ? "none: defaults hold" : files.join(", "),
    });
  } catch (error) {
    findings.push({
      check: "config",
      state: "failed",
      found: describeError(error),
      remedy: "mend the file; `tickwell config check` says when it is right",
    });
    return findings;
  }
  if (settings.instance.storage.url === "embedded") findings.push(...(await checkDataDir(options.dataDir)));
  findings.push(...(await checkStore(settings, options, context)));
  const { stage } = settings.instance;
  if (stage.kind === "redis" && stage.url !== undefined) findings.push(await checkRedis(stage.url, context));
  findings.push(
    ...(await Promise.all(collectorsToAsk(settings).map((config) => checkHost(config, context)))),
    ...(await Promise.all(
      settings.collectors.filter(({ mode }) => mode.live).map((config) => checkPlan(config, context)),
    )),
  );
  return findings;
}

function checkVersions(): Finding {
  const found = `tickwell ${VERSION}, Node.js ${process.versions.node}, ${platform()} ${arch()}`;
  const isSupported = Number(process.versions.node.split(".")[0]) >= NODE_MAJOR_MIN;
  return isSupported
    ? { check: "versions", state: "ok", found }
    : { check: "versions", state: "failed", found, remedy: `install Node.js ${NODE_MAJOR_MIN} or later` };
}

async function checkDataDir(dataDir: string): Promise<Finding[]> {
  const path = resolve(dataDir);
  try {
    await mkdir(path, { recursive: true });
    await access(path, constants.R_OK | constants.W_OK | constants.X_OK);
  } catch (error) {
    return [
      {
        check: "data directory",
        state: "failed",
        found: `${path}: ${describeError(error)}`,
        remedy: "give this user the right to write there, or name another folder with --data-dir",
      },
    ];
  }
  const { bavail, bsize } = await statfs(path);
  const freeBytes = bavail * bsize;
  const space: Finding = { check: "disk", state: "ok", found: `${formatSize(freeBytes)} free` };
  return [
    { check: "data directory", state: "ok", found: `${path} can be written` },
    freeBytes >= DISK_WARN_BYTES
      ? space
      : {
          ...space,
          state: "warning",
          remedy:
            "a year of 1m candles takes about 75 MB a market: free some space, or use --data-dir on another disk",
        },
  ];
}

async function checkStore(
  settings: TickwellConfig,
  options: GlobalOptions,
  context: CommandContext,
): Promise<Finding[]> {
  const { url } = settings.instance.storage;
  const kind = url === "embedded" ? "embedded PostgreSQL" : "PostgreSQL";
  try {
    const capabilities = await withStore(
      context,
      options,
      { url, role: "reader" },
      async (store) => store.capabilities,
    );
    return [
      { check: "database", state: "ok", found: `${kind} ${capabilities.serverVersion} answers` },
      ...describeCapabilities(capabilities).map(({ subject, ...line }) => ({ check: subject, ...line })),
    ];
  } catch (error) {
    return [
      {
        check: "database",
        state: "failed",
        found: describeError(error),
        remedy: "see the message; `storage.url` in tickwell.yml names the database",
      },
    ];
  }
}

/** One collector a host, which raw trades change; without a config, every exchange's default host. */
function collectorsToAsk(settings: TickwellConfig): CollectorConfig[] {
  if (settings.collectors.length === 0)
    return EXCHANGES.map((exchange) => collectorFor(settings, { exchange, symbol: "" }));
  const byHost = new Map(
    settings.collectors.map((config) => {
      const { name, restUrl = "", trades = "" } = config.exchange;
      return [`${name} ${restUrl} ${trades}`, config];
    }),
  );
  return [...byHost.values()];
}

async function checkHost(config: CollectorConfig, context: CommandContext): Promise<Finding> {
  const exchange = exchangeFor(askedOnce(config), { bans: transientBanMemory(), log: context.log });
  const check = `${exchange.id} ${new URL(exchange.restUrl).host}`;
  try {
    const sentMs = systemClock.nowMs();
    const serverMs = await exchange.fetchServerTime(context.signal);
    const roundTripMs = systemClock.nowMs() - sentMs;
    const skewMs = Math.round(serverMs - sentMs - roundTripMs / 2);
    const found = `answers in ${formatDuration(roundTripMs)}, clock differs by ${formatDuration(Math.abs(skewMs))}`;
    if (Math.abs(skewMs) <= SKEW_WARN_MS + roundTripMs) return { check, state: "ok", found };
    return {
      check,
      state: "warning",
      found,
      remedy: "set this machine's clock (NTP); until then candles are judged by the exchange's clock",
    };
  } catch (error) {
    return {
      check,
      state: "failed",
      found: describeError(error),
      remedy: remedyFor(classifyError(error).kind),
    };
  } finally {
    await exchange.close();
  }
}

async function checkRedis(url: string, context: CommandContext): Promise<Finding> {
  const check = "Redis";
  try {
    const health = await examineRedis(url, { timeoutMs: HOST_TIMEOUT_MS, signal: context.signal });
    const { version, evictionPolicy, isPersistent, usedBytes } = health;
    const kept = isPersistent
      ? "what it holds outlives it"
      : "what it holds is lost with it, and fetched again";
    const found = `version ${version}, maxmemory-policy ${evictionPolicy}, ${formatSize(usedBytes)} used; ${kept}`;
    if (Number.parseInt(version, 10) < REDIS_VERSION_MIN)
      return { check, state: "failed", found, remedy: `install Redis ${REDIS_VERSION_MIN} or later` };
    if (evictionPolicy !== "noeviction")
      return {
        check,
        state: "failed",
        found,
        remedy: `set maxmemory-policy noeviction: ${evictionPolicy} may delete what is not stored yet`,
      };
    return isPersistent
      ? { check, state: "ok", found }
      : {
          check,
          state: "warning",
          found,
          remedy: "set appendonly yes, so that a restart loses a second at most",
        };
  } catch (error) {
    return {
      check,
      state: "failed",
      found: describeError(error),
      remedy: "start it, mend stage.url, or set stage.kind to memory",
    };
  }
}

async function checkPlan(config: CollectorConfig, context: CommandContext): Promise<Finding> {
  const check = `${config.name} streams`;
  if (!hasStreams(config.exchange))
    return {
      check,
      state: "ok",
      found: "off: exchange.rest_url names another host, and exchange.ws_url none",
    };
  const exchange = exchangeFor(askedOnce(config), { bans: transientBanMemory(), log: context.log });
  try {
    const channels = channelsOf(config, await exchange.fetchMarkets(context.signal));
    if (channels.length === 0)
      return {
        check,
        state: "failed",
        found: "none of its symbols is listed",
        remedy: "mend symbols in its file",
      };
    return { check, state: "ok", found: describePlan(exchange.live.dialect, channels) };
  } catch (error) {
    return {
      check,
      state: "warning",
      found: `the plan of connections needs the exchange's list of markets: ${describeError(error)}`,
      remedy: remedyFor(classifyError(error).kind),
    };
  } finally {
    await exchange.close();
  }
}

/** A doctor does not wait for long. */
function askedOnce(config: CollectorConfig): CollectorConfig {
  return {
    ...config,
    request: { ...config.request, timeoutMs: HOST_TIMEOUT_MS },
    retry: { ...config.retry, attempts: 1 },
  };
}

function remedyFor(kind: string): string {
  switch (kind) {
    case "geo_blocked":
      return "this place is blocked; the message says what to set. exchange.rest_url and exchange.ws_url go together: without ws_url the streams are off";
    case "rate_limit":
    case "ip_ban":
      return "wait; other programs at this address count too (rate_limit.share lowers ours)";
    default:
      return "check the network, DNS and proxy; `tickwell demo` works without";
  }
}

function formatFindings(findings: readonly Finding[]): string {
  const signs = { ok: "ok", warning: "!", failed: "FAILED" } as const;
  const table = formatTable(
    [{ title: "" }, { title: "check" }, { title: "found" }],
    findings.map((finding) => [signs[finding.state], finding.check, finding.found]),
  );
  const remedies = findings.flatMap((finding) =>
    finding.remedy === undefined ? [] : [`${finding.check}: ${finding.remedy}\n`],
  );
  return table + (remedies.length > 0 ? `\nWhat to do\n${remedies.join("")}` : "\nEverything is in order.\n");
}
