// All connections of one venue: planned, opened within its limits, renewed without a pause, and opened again for ever.
import type { Clock } from "../../../core/clock.js";
import { classifyError, describeError, type TickwellError } from "../../../core/fault.js";
import type { Log } from "../../../core/log.js";
import { onAbort } from "../../../core/net/abort.js";
import { PaceLimiter } from "../../../core/net/pace-limiter.js";
import type { Random } from "../../../core/random.js";
import { planRetry } from "../../../core/retry.js";
import type { LiveChannel, LiveDialect } from "../../../exchanges/live.js";
import { planConnections, type PlannedConnection } from "./connection-plan.js";
import { LiveLink, type AskQuiet, type RawFrame } from "./live-link.js";
import type { LiveSink } from "./live-sink.js";
import type { StreamTraffic } from "./stream-traffic.js";

export interface LiveConnectionsOptions {
  readonly dialect: LiveDialect;
  /** `wss://stream.example.com`, without a path. */
  readonly wsUrl: string;
  readonly channels: readonly LiveChannel[];
  readonly sink: LiveSink;
  readonly askQuiet: AskQuiet;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Told of each attempt to connect that failed, and of each connection that broke. */
  readonly onFailure?: ((failure: { path: string; error: TickwellError }) => void) | undefined;
  /** Told of each connection that was opened. */
  readonly onConnected?: ((connection: { path: string }) => void) | undefined;
  readonly onFrame?: ((frame: RawFrame) => void) | undefined;
  /** Counted up with each message. */
  readonly traffic: StreamTraffic;
}

/** One connection now, for people. Times are our clock's, epoch ms. */
export interface ConnectionState {
  readonly path: string;
  readonly channels: number;
  /** Undefined while it is being opened. */
  readonly connectedMs: number | undefined;
  readonly activeMs: number | undefined;
  /** How often it had to be opened again because it broke. */
  readonly breaks: number;
}

/** The part of the allowed connection attempts that is used: others share the address. */
const CONNECT_SHARE = 0.5;
/** Reconnecting: any time up to a second at first, up to a minute in the end, for ever. */
const BACKOFF = { attempts: Infinity, baseDelayMs: 1_000, maxDelayMs: 60_000 } as const;
/** A connection that has held so long was no failed attempt. */
const STABLE_MS = 60_000;
/** While the exchange is under maintenance it is asked this often, and nobody is told each time. */
const MAINTENANCE_DELAY_MS = 30_000;

/** One planned connection and the links that carry it now. */
interface Slot {
  readonly plan: PlannedConnection;
  /** Those that are open, the oldest first: two while one takes over from the other. */
  readonly links: LiveLink[];
  breaks: number;
  /** Breaks in a row, each soon after it was opened. */
  quickBreaks: number;
}

export class LiveConnections {
  readonly #options: LiveConnectionsOptions;
  readonly #slots: Slot[];
  readonly #connects: PaceLimiter;
  #nextId = 1;
  #isUnderMaintenance = false;

  constructor(options: LiveConnectionsOptions) {
    const { dialect, channels, clock } = options;
    this.#options = options;
    this.#slots = planConnections(dialect, channels).map((plan) => ({
      plan,
      links: [],
      breaks: 0,
      quickBreaks: 0,
    }));
    const { count, perMs } = dialect.limits.connects;
    this.#connects = new PaceLimiter({ clock, limit: count, windowMs: perMs, share: CONNECT_SHARE });
  }

  /** Keeps the connections until the signal is aborted; resolves when all of them are closed. */
  async run(signal: AbortSignal): Promise<void> {
    try {
      await Promise.all(this.#slots.map((slot) => this.#keep(slot, signal)));
    } finally {
      for (const { links } of this.#slots) for (const link of links) link.close();
    }
  }

  /**
   * Asks for a channel anew: its book has lost the thread. Of two connections the newer one is asked, since the older is about to go;
   * where it is not acknowledged yet, it begins anew in any case.
   */
  resubscribe(channel: LiveChannel): void {
    for (const { links } of this.#slots)
      links.findLast((link) => link.carries(channel))?.resubscribe(channel);
  }

  state(): ConnectionState[] {
    return this.#slots.map(({ plan, links: [link], breaks }) => ({
      path: plan.path,
      channels: plan.channels.length,
      connectedMs: link?.connectedMs,
      activeMs: link?.activeMs,
      breaks,
    }));
  }

  async #keep(slot: Slot, signal: AbortSignal): Promise<void> {
    let link = await this.#open(slot, signal);
    while (link) {
      const next = await this.#untilReplaced(slot, link, signal);
      if (signal.aborted) return;
      link = next ?? (await this.#open(slot, signal, { isAgain: true }));
    }
  }

  /** @returns the connection that has taken over; undefined when this one ended without a successor */
  async #untilReplaced(slot: Slot, link: LiveLink, signal: AbortSignal): Promise<LiveLink | undefined> {
    const detail = await raceAborted([link.ended.then(() => undefined), link.renewal], signal);
    if (detail === undefined || signal.aborted) return undefined;
    this.#options.log.info(`${slot.plan.path}: a new connection takes over: ${detail}`);
    for (let isAgain = false; ; isAgain = true) {
      // It may take for ever. The old one serves meanwhile; when it ends, `#onEnded` says so.
      const next = await this.#open(slot, signal, { isAgain });
      if (!next) return undefined;
      // Acks and first messages before the old one goes: nothing falls between the two.
      await raceAborted<unknown>([next.settled, link.ended], signal);
      if (signal.aborted) return undefined;
      if (!link.isOpen) return next;
      if (!next.isOpen) continue;
      link.close();
      return next;
    }
  }

  /** A connection is gone, whether it broke or was left: tells what is lost with it. */
  #onEnded(slot: Slot, link: LiveLink, error: TickwellError | undefined): void {
    const { clock, log, sink, onFailure } = this.#options;
    const { path } = slot.plan;
    slot.links.splice(slot.links.indexOf(link), 1);
    if (error) {
      const heldMs = clock.nowMs() - link.connectedMs;
      slot.breaks++;
      slot.quickBreaks = heldMs < STABLE_MS ? slot.quickBreaks + 1 : 0;
      onFailure?.({ path, error });
      log.warn(
        `${path}: ${describeError(error)} after ${Math.round(heldMs / 1_000)} s with ${link.channels.length} channels; ${slot.links.length > 0 ? "another connection goes on" : "connecting again"}`,
      );
    }
    const detail = error ? describeError(error) : "its successor does not carry it";
    for (const channel of link.channels) {
      if (!link.hasCarried(channel) || slot.links.some((each) => each.carries(channel))) continue;
      const refusal = slot.links.at(-1)?.refusalOf(channel);
      sink.lost(
        channel,
        refusal === undefined ? { reason: "disconnected", detail } : { reason: "refused", detail: refusal },
      );
    }
    sink.connectionEnded(link.id);
  }

  /**
   * Tries until it succeeds.
   * @param isAgain the last one broke: a server that takes connections and drops them is left alone for longer and longer
   * @returns undefined when the signal was aborted
   */
  async #open(
    slot: Slot,
    signal: AbortSignal,
    { isAgain }: { isAgain: boolean } = { isAgain: false },
  ): Promise<LiveLink | undefined> {
    const { random } = this.#options;
    const boundMs = Math.min(BACKOFF.baseDelayMs * 2 ** slot.quickBreaks, BACKOFF.maxDelayMs);
    if (isAgain && !(await this.#pause(random.next() * boundMs, signal))) return undefined;
    for (let attempt = 1; !signal.aborted; attempt++) {
      try {
        await this.#connects.acquire(signal);
        const id = this.#nextId++;
        const isCarriedElsewhere = (channel: LiveChannel): boolean =>
          slot.links.some((each) => each.id !== id && each.carries(channel));
        const link = await LiveLink.open(
          { ...this.#options, id, plan: slot.plan, isCarriedElsewhere },
          signal,
        );
        slot.links.push(link);
        // At the end of it all nothing is lost.
        void link.ended.then((error) => {
          if (!signal.aborted) this.#onEnded(slot, link, error);
        });
        this.#options.onConnected?.({ path: slot.plan.path });
        this.#endMaintenance();
        return link;
      } catch (error) {
        if (signal.aborted) return undefined;
        const delayMs = this.#delayAfter(slot, error, attempt);
        if (!(await this.#pause(delayMs, signal))) return undefined;
      }
    }
    return undefined;
  }

  #delayAfter(slot: Slot, error: unknown, attempt: number): number {
    const { clock, random, log, onFailure } = this.#options;
    const fault = classifyError(error);
    if (error instanceof Error && "fault" in error)
      onFailure?.({ path: slot.plan.path, error: error as TickwellError });
    if (fault.kind === "maintenance") {
      if (!this.#isUnderMaintenance)
        log.warn(`${describeError(error)}: under maintenance; connecting is tried again until it is over`);
      this.#isUnderMaintenance = true;
      return MAINTENANCE_DELAY_MS * (0.5 + random.next());
    }
    const plan = planRetry(fault, attempt, { ...BACKOFF, random, nowMs: clock.nowMs() });
    // What cannot succeed now may later: the place, the key and the host are the user's to change while we wait.
    const delayMs = plan.do === "retry" ? plan.delayMs : BACKOFF.maxDelayMs;
    log.warn(`${slot.plan.path}: ${describeError(error)}; trying again in ${Math.round(delayMs / 1_000)} s`);
    return delayMs;
  }

  #endMaintenance(): void {
    if (this.#isUnderMaintenance) this.#options.log.info("the exchange accepts connections again");
    this.#isUnderMaintenance = false;
  }

  /** @returns false when the signal ended it */
  async #pause(durationMs: number, signal: AbortSignal): Promise<boolean> {
    try {
      await this.#options.clock.sleep(durationMs, signal);
      return true;
    } catch (error) {
      if (signal.aborted) return false;
      throw error;
    }
  }
}

/** The first of these; undefined when the signal is aborted before. */
async function raceAborted<T>(promises: readonly Promise<T>[], signal: AbortSignal): Promise<T | undefined> {
  let stopListening = (): void => undefined;
  const aborted = new Promise<undefined>((resolve) => {
    if (signal.aborted) resolve(undefined);
    else stopListening = onAbort(signal, () => resolve(undefined));
  });
  try {
    return await Promise.race([...promises, aborted]);
  } finally {
    stopListening();
  }
}
