// `tickwell backfill <market> trades`: fetches a range of trades by REST and proves it by their ids. Safe to repeat and to
// interrupt: a window of ten minutes is committed by itself, and what is proven is not asked for again.
import { systemClock } from "../../core/clock.js";
import { formatDuration } from "../../core/duration.js";
import { describeError, TickwellError } from "../../core/fault.js";
import { formatMarketName } from "../../core/model/market.js";
import { totalMs, type TimeRange } from "../../core/range.js";
import { formatMinute, formatTime } from "../../core/time.js";
import type { Exchange } from "../../exchanges/exchange.js";
import { ExchangeClock } from "../../pipeline/feed/exchange-clock.js";
import type { Stage } from "../../pipeline/stage/stage.js";
import type { Store, StoredMarket } from "../../store/store.js";
import { TradeRepair } from "../../upkeep/trade-repair.js";
import { usageError } from "../arguments.js";
import { EXIT, type CommandContext, type GlobalOptions } from "../command-context.js";
import { Progress } from "../progress.js";
import { formatCount, formatPercent } from "../table.js";

/** A trade of just now may still be under way to the node that answers. */
const MARGIN_MS = 5_000;

export interface TradeBackfillParts {
  readonly store: Store;
  readonly stage: Stage;
  readonly exchange: Exchange;
  readonly market: StoredMarket;
  readonly options: GlobalOptions;
  readonly context: CommandContext;
}

/**
 * @throws TickwellError `config` for a range that has not happened, `bad_request` for a venue that does not count its trades; the
 *   exchange's error when it cannot be asked, with what came before it stored
 */
export async function backfillTrades(
  { store, stage, exchange, market, options, context }: TradeBackfillParts,
  asked: TimeRange,
  signal: AbortSignal,
): Promise<void> {
  const { log, stderr, stdout, setExitStatus } = context;
  const clock = new ExchangeClock({ exchange, clock: systemClock, log });
  await clock.keepMeasured(signal);
  const range = { startMs: asked.startMs, endMs: Math.min(asked.endMs, clock.nowMs() - MARGIN_MS) };
  if (range.startMs >= range.endMs)
    throw usageError(
      `no trade between ${formatTime(asked.startMs)} and ${formatTime(asked.endMs)} can be had yet`,
    );
  const { tradeNumbering } = exchange.traits;
  if (tradeNumbering) await store.live.countTradesBy([market.id], tradeNumbering);
  await store.live.expectTrades(market.id, range);
  const repair = new TradeRepair({
    exchange,
    stage,
    clock: systemClock,
    log,
    exchangeNowMs: () => clock.nowMs(),
  });
  const name = `${formatMarketName(market)} trades`;
  const gaps = await store.live.missingTrades(market.id, range);
  const progress = new Progress({
    title: name,
    total: Math.ceil(totalMs(gaps) / 1_000),
    clock: systemClock,
    write: stderr,
    unit: "read",
    show: (seconds) => formatDuration(seconds * 1_000),
  });
  const startedMs = systemClock.nowMs();
  let trades = 0;
  try {
    for (const gap of gaps) {
      let reachedMs = gap.startMs;
      await repair.repair(market, gap, signal, (batch) => {
        trades += batch.trades.length;
        const toMs = Math.max(
          reachedMs,
          ...[...batch.runs, ...batch.voids, ...batch.missing].map(({ endMs }) => endMs),
        );
        progress.add((toMs - reachedMs) / 1_000);
        reachedMs = toMs;
      });
    }
  } catch (error) {
    throw error instanceof TickwellError
      ? new TickwellError(
          error.fault,
          `${describeError(error)}. What was fetched is stored; run the same command again to go on`,
          { cause: error },
        )
      : error;
  } finally {
    progress.stop();
  }
  const left = await store.live.missingTrades(market.id, range);
  const missingMs = totalMs(left);
  const wholeMs = range.endMs - range.startMs;
  const elapsedMs = systemClock.nowMs() - startedMs;
  stdout(
    options.json
      ? `${JSON.stringify({
          market: formatMarketName(market),
          data_type: "trades",
          start: formatTime(range.startMs),
          end: formatTime(range.endMs),
          fetched_trades: trades,
          gaps: left.length,
          missing_seconds: missingMs / 1_000,
          elapsed_ms: elapsedMs,
        })}\n`
      : `${name} from ${formatMinute(range.startMs)} to ${formatMinute(range.endMs)} UTC: ${formatCount(trades)} fetched, ` +
          `${formatPercent(wholeMs - missingMs, wholeMs)} of the time proven by their ids (${gaps.length === 0 ? "nothing was missing" : `in ${formatDuration(elapsedMs)}`}).\n`,
  );
  if (left.length === 0) return;
  if (!options.json) stdout("What is missing is on record: see `tickwell gaps`.\n");
  setExitStatus(EXIT.shortfall);
}
