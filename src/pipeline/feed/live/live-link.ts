// One connection with its subscriptions, from connecting to its end.
//
// 1. Topics are subscribed to within the venue's pace, and each subscription must be acknowledged. What is not is asked for
//    once more; then the connection counts as broken. A refused topic leaves the others alone; what is refused in passing (too
//    many requests, trouble of the exchange's own) is asked for again, later and later.
// 2. From the ack on, each channel is watched (channel-watch.ts). One that is silent for long is asked about by REST; where
//    the exchange has something newer, it is subscribed to anew; when that does not help, the connection asks to be renewed, and
//    when half of the channels are silent as well, it is broken.
// 3. The venue's heartbeat is kept; without any sign of life the connection is broken.
// 4. It also asks to be renewed before its lifetime ends, or when the venue announces the end.
import type { Clock } from "../../../core/clock.js";
import { describeError, type TickwellError } from "../../../core/fault.js";
import type { Log } from "../../../core/log.js";
import { PaceLimiter } from "../../../core/net/pace-limiter.js";
import { WsConnection } from "../../../core/net/ws-client.js";
import type { Random } from "../../../core/random.js";
import { planRetry } from "../../../core/retry.js";
import type { LiveChannel, LiveDialect, LiveMessage } from "../../../exchanges/live.js";
import { ChannelWatch, type Silence } from "./channel-watch.js";
import type { PlannedConnection } from "./connection-plan.js";
import type { LiveSink } from "./live-sink.js";
import type { ChannelTraffic, StreamTraffic } from "./stream-traffic.js";

/** Whether a silent channel's market is silent as well. */
export type AskQuiet = (
  channel: LiveChannel,
  silence: Silence,
  signal: AbortSignal,
) => Promise<"quiet" | "missed" | "unknown">;

/** A text frame as it came, for captures. */
export interface RawFrame {
  readonly text: string;
  readonly receivedMs: number;
  readonly connectionId: number;
  readonly path: string;
}

export interface LiveLinkOptions {
  readonly id: number;
  readonly plan: PlannedConnection;
  readonly dialect: LiveDialect;
  readonly wsUrl: string;
  readonly sink: LiveSink;
  readonly askQuiet: AskQuiet;
  /** Whether another connection carries the channel as well: this one is its successor, or about to be left. */
  readonly isCarriedElsewhere: (channel: LiveChannel) => boolean;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly onFrame?: ((frame: RawFrame) => void) | undefined;
  /** Counted up with each message. */
  readonly traffic: StreamTraffic;
}

const CONNECT_TIMEOUT_MS = 10_000;
/** Acks come within a second; a server that takes ten has lost the question. */
const ACK_TIMEOUT_MS = 10_000;
/** A renewed connection that has sent nothing after its acks for so long is as good as the old one. */
const FIRST_MESSAGE_WAIT_MS = 10_000;
/** Subscribe messages remembered, to know what a refusal is about. */
const ASKED_REMEMBERED = 500;
const LOOK_EVERY_MS = 1_000;
/** The old connection is left at this part of its lifetime, spread so that not all go at once. */
const RENEW_FROM = 0.9;
const RENEW_SPREAD = 0.07;
/** The part of the allowed messages that is used: pongs count as well. */
const MESSAGE_SHARE = 0.6;
const HOUR_MS = 3_600_000;
/** Between two resubscriptions of one channel: doubled each time, and calm again after a good while. */
const RESUBSCRIBE_FIRST_MS = 1_000;
const RESUBSCRIBE_MAX_MS = 60_000;
const CALM_MS = 300_000;
/** A channel that stays silent whatever is done has its connection replaced no more often than this. */
const REPLACE_FOR_ONE_MS = 300_000;
/** What was refused in passing is asked for again: up to two seconds later at first, up to five minutes in the end, for ever. */
const REFUSED_BACKOFF = { attempts: Infinity, baseDelayMs: 2_000, maxDelayMs: 300_000 } as const;

interface Subscription {
  readonly channel: LiveChannel;
  readonly topic: string;
  readonly traffic: ChannelTraffic;
  /** `postponed`: refused in passing, to be asked for again. */
  state: "waiting" | "acked" | "postponed" | "refused";
  watch: ChannelWatch | undefined;
  /** `acked` by data only, which may have been under way since before it was asked for anew. */
  isPresumed: boolean;
  hasSent: boolean;
  /** Acknowledged here at some time. */
  hasCarried: boolean;
  /** The id of the last subscribe message, and when it left, our clock; -Infinity before. */
  askId: string | undefined;
  askedMs: number;
  timesAsked: number;
  /** Found to be dead since its last message. */
  timesMissed: number;
  resubscribed: { count: number; lastMs: number; dueMs: number | undefined };
  refusal: {
    /** In passing, in a row. */
    count: number;
    /** When it is asked for again; undefined while it is. */
    dueMs: number | undefined;
    /** It is asked for by itself: in one message with others it was refused more than once. */
    isAlone: boolean;
    /** What the exchange said. */
    detail: string | undefined;
  };
}

export class LiveLink {
  readonly id: number;
  readonly connectedMs: number;
  readonly #options: LiveLinkOptions;
  readonly #connection: WsConnection;
  readonly #subscriptions = new Map<string, Subscription>();
  readonly #byChannel = new Map<LiveChannel, Subscription>();
  /** Topics of a subscribe message by its id. */
  readonly #asked = new Map<string, readonly string[]>();
  readonly #messages: PaceLimiter;
  readonly #perHour: PaceLimiter | undefined;
  readonly #stop = new AbortController();
  readonly #renewMs: number;
  /** One for the whole connection: what was refused together is asked for together. */
  readonly #refusalJitter: Random;
  #activeMs: number;
  #pingedMs = -Infinity;
  #nextAskId = 1;
  #isClosed = false;
  #renew: (detail: string) => void = () => undefined;
  #settle: () => void = () => undefined;
  /** Why it wants to be replaced. */
  readonly renewal: Promise<string>;
  /** Every topic is acknowledged or refused, and something has come in or was waited for. */
  readonly settled: Promise<void>;
  readonly ended: Promise<TickwellError | undefined>;

  /** @throws what {@link WsConnection.open} throws */
  static async open(options: LiveLinkOptions, signal: AbortSignal): Promise<LiveLink> {
    const { wsUrl, plan, clock } = options;
    // Frames may come with the very packet that opens the connection, before there is a link to take them.
    const opening: { link: LiveLink | undefined; readonly early: ((link: LiveLink) => void)[] } = {
      link: undefined,
      early: [],
    };
    const deliver = (work: (link: LiveLink) => void): void => {
      if (opening.link) work(opening.link);
      else opening.early.push(work);
    };
    const connection = await WsConnection.open(`${wsUrl.replace(/\/$/, "")}${plan.path}`, {
      timeoutMs: CONNECT_TIMEOUT_MS,
      signal,
      nowMs: () => clock.nowMs(),
      handlers: {
        onText: (text) => deliver((each) => each.#onText(text)),
        onBinary: (frame) => deliver((each) => each.#onBinary(frame)),
        onActivity: () => {
          if (opening.link) opening.link.#activeMs = clock.nowMs();
        },
      },
    });
    const link = new LiveLink(options, connection);
    opening.link = link;
    for (const work of opening.early) work(link);
    return link;
  }

  private constructor(options: LiveLinkOptions, connection: WsConnection) {
    const { id, plan, dialect, clock, random } = options;
    const { limits } = dialect;
    this.id = id;
    this.#options = options;
    this.#connection = connection;
    this.connectedMs = this.#activeMs = clock.nowMs();
    this.#renewMs =
      this.connectedMs + (limits.lifetimeMs ?? Infinity) * (RENEW_FROM + RENEW_SPREAD * random.next());
    const spread = 0.5 + random.next() / 2;
    this.#refusalJitter = { next: () => spread };
    this.#messages = new PaceLimiter({
      clock,
      limit: limits.messages.count,
      windowMs: limits.messages.perMs,
      share: MESSAGE_SHARE,
    });
    this.#perHour =
      limits.subscriptionsPerHour === undefined
        ? undefined
        : new PaceLimiter({ clock, limit: limits.subscriptionsPerHour, windowMs: HOUR_MS, share: 1 });
    for (const channel of plan.channels) {
      const subscription: Subscription = {
        channel,
        topic: dialect.topicOf(channel),
        traffic: options.traffic[channel.kind],
        state: "waiting",
        watch: undefined,
        isPresumed: false,
        hasSent: false,
        hasCarried: false,
        askId: undefined,
        askedMs: -Infinity,
        timesAsked: 0,
        timesMissed: 0,
        resubscribed: { count: 0, lastMs: -Infinity, dueMs: undefined },
        refusal: { count: 0, dueMs: undefined, isAlone: false, detail: undefined },
      };
      this.#subscriptions.set(subscription.topic, subscription);
      this.#byChannel.set(channel, subscription);
    }
    this.renewal = new Promise((resolve) => (this.#renew = resolve));
    this.settled = new Promise((resolve) => (this.#settle = resolve));
    this.ended = connection.ended.then((error) => {
      this.#isClosed = true;
      this.#stop.abort(new Error("the connection has ended"));
      this.#settle();
      return error;
    });
    // What goes wrong in here ends the connection; the promise only keeps it from being unheard.
    void this.#work().catch((error: unknown) => {
      if (!this.#isClosed) this.#connection.fail(describeError(error));
    });
  }

  get channels(): readonly LiveChannel[] {
    return this.#options.plan.channels;
  }

  /** When anything last came in, our clock, epoch ms. */
  get activeMs(): number {
    return this.#activeMs;
  }

  get isOpen(): boolean {
    return !this.#isClosed;
  }

  /** True when the channel is acknowledged here. */
  carries(channel: LiveChannel): boolean {
    return !this.#isClosed && this.#byChannel.get(channel)?.state === "acked";
  }

  /** True when the channel was ever acknowledged here, also of a connection that has ended. */
  hasCarried(channel: LiveChannel): boolean {
    return this.#byChannel.get(channel)?.hasCarried === true;
  }

  /** What the exchange said when it refused the channel; undefined when it has not, or not since the last ack. */
  refusalOf(channel: LiveChannel): string | undefined {
    return this.#byChannel.get(channel)?.refusal.detail;
  }

  /**
   * Unsubscribes and subscribes again: at once the first time, later and later when asked for again and again. A channel that is not
   * acknowledged is being asked for as it is.
   */
  resubscribe(channel: LiveChannel): void {
    const subscription = this.#byChannel.get(channel);
    if (!subscription || this.#isClosed || subscription.state !== "acked") return;
    const { resubscribed } = subscription;
    if (resubscribed.dueMs !== undefined) return;
    const nowMs = this.#options.clock.nowMs();
    if (nowMs - resubscribed.lastMs > CALM_MS) resubscribed.count = 0;
    const waitMs =
      resubscribed.count === 0
        ? 0
        : Math.min(RESUBSCRIBE_FIRST_MS * 2 ** (resubscribed.count - 1), RESUBSCRIBE_MAX_MS);
    resubscribed.count++;
    resubscribed.dueMs = nowMs + waitMs;
  }

  close(): void {
    this.#isClosed = true;
    this.#connection.close();
  }

  async #work(): Promise<void> {
    const signal = this.#stop.signal;
    await this.#subscribe([...this.#subscriptions.values()], signal);
    while (true) {
      await this.#options.clock.sleep(LOOK_EVERY_MS, signal);
      this.#lookAfterConnection();
      this.#lookAfterAcks(signal);
      this.#lookAfterRefusals(signal);
      this.#lookAfterResubscriptions(signal);
      this.#lookAfterSilence(signal);
      this.#lookWhetherSettled();
    }
  }

  async #subscribe(subscriptions: readonly Subscription[], signal: AbortSignal): Promise<void> {
    const { dialect, clock } = this.#options;
    const { topicsPerMessage } = dialect.limits;
    for (let at = 0; at < subscriptions.length; at += topicsPerMessage) {
      const part = subscriptions.slice(at, at + topicsPerMessage);
      await this.#perHour?.acquire(signal);
      await this.#messages.acquire(signal);
      const id = String(this.#nextAskId++);
      const topics = part.map(({ topic }) => topic);
      this.#asked.set(id, topics);
      const [oldest] = this.#asked.keys();
      if (this.#asked.size > ASKED_REMEMBERED && oldest !== undefined) this.#asked.delete(oldest);
      for (const each of part) {
        each.state = "waiting";
        each.watch = undefined;
        each.isPresumed = false;
        each.askId = id;
        each.askedMs = clock.nowMs();
        each.timesAsked++;
      }
      this.#connection.send(dialect.subscribe(topics, id));
    }
  }

  #lookAfterConnection(): void {
    const { clock, dialect } = this.#options;
    const { ping, idleMs, deadAfterMs } = dialect.heartbeat;
    const nowMs = clock.nowMs();
    const silentMs = nowMs - this.#activeMs;
    if (silentMs > deadAfterMs)
      this.#connection.fail(`no sign of life for ${Math.round(silentMs / 1_000)} s`);
    else if (ping !== undefined && silentMs >= idleMs && nowMs - this.#pingedMs >= idleMs) {
      this.#pingedMs = nowMs;
      this.#connection.send(ping);
    }
    if (nowMs >= this.#renewMs) this.#renew("its lifetime ends soon");
  }

  #lookAfterAcks(signal: AbortSignal): void {
    const nowMs = this.#options.clock.nowMs();
    const late = [...this.#subscriptions.values()].filter(
      ({ state, askedMs }) => state === "waiting" && nowMs - askedMs > ACK_TIMEOUT_MS,
    );
    if (late.length === 0) return;
    const twice = late.find(({ timesAsked }) => timesAsked >= 2);
    if (twice) this.#connection.fail(`the subscription to ${twice.topic} is not acknowledged`);
    else {
      // Marked at once, or the next look would ask again.
      for (const each of late) each.askedMs = nowMs;
      this.#beside(() => this.#subscribe(late, signal));
    }
  }

  #lookAfterRefusals(signal: AbortSignal): void {
    const nowMs = this.#options.clock.nowMs();
    const due = [...this.#subscriptions.values()].filter(
      ({ state, refusal }) => state === "postponed" && refusal.dueMs !== undefined && refusal.dueMs <= nowMs,
    );
    if (due.length === 0) return;
    for (const each of due) {
      each.refusal.dueMs = undefined;
      // A refusal was an answer.
      each.timesAsked = 0;
    }
    const together = due.filter(({ refusal }) => !refusal.isAlone);
    const alone = due.filter(({ refusal }) => refusal.isAlone);
    this.#beside(async () => {
      await this.#subscribe(together, signal);
      for (const each of alone) await this.#subscribe([each], signal);
    });
  }

  #lookAfterResubscriptions(signal: AbortSignal): void {
    const { clock, dialect } = this.#options;
    const nowMs = clock.nowMs();
    for (const subscription of this.#subscriptions.values()) {
      const { resubscribed, topic } = subscription;
      if (resubscribed.dueMs === undefined || resubscribed.dueMs > nowMs) continue;
      resubscribed.dueMs = undefined;
      if (subscription.state !== "acked") continue;
      resubscribed.lastMs = nowMs;
      subscription.timesAsked = 0;
      // The venue's budget may make it wait; heartbeats and acks must not.
      this.#beside(async () => {
        await this.#perHour?.acquire(signal);
        await this.#messages.acquire(signal);
        this.#connection.send(dialect.unsubscribe([topic], String(this.#nextAskId++)));
        await this.#subscribe([subscription], signal);
      });
    }
  }

  #beside(work: () => Promise<void>): void {
    work().catch((error: unknown) => {
      if (!this.#isClosed) this.#connection.fail(describeError(error));
    });
  }

  #lookAfterSilence(signal: AbortSignal): void {
    const nowMs = this.#options.clock.nowMs();
    for (const subscription of this.#subscriptions.values())
      if (subscription.watch?.shouldAsk(nowMs) === true)
        void this.#askAbout(subscription, subscription.watch, signal);
  }

  async #askAbout(subscription: Subscription, watch: ChannelWatch, signal: AbortSignal): Promise<void> {
    const { askQuiet, isCarriedElsewhere, sink, clock, log } = this.#options;
    const { channel, topic } = subscription;
    const { sinceMs } = watch;
    const answer = await askQuiet(channel, watch.silence, signal).catch((error: unknown) => {
      if (!signal.aborted) log.debug(`${topic} is silent and REST cannot be asked: ${describeError(error)}`);
      return "unknown" as const;
    });
    // A message that came meanwhile, or a new subscription, has answered by itself.
    if (this.#isClosed || subscription.watch !== watch || watch.sinceMs !== sinceMs) return;
    if (answer === "quiet") watch.onQuiet();
    // What another connection carries is not lost, and this one is its successor or about to go.
    if (answer !== "missed" || isCarriedElsewhere(channel)) return;
    const silentS = Math.round((clock.nowMs() - sinceMs) / 1_000);
    const detail = `${topic} sends nothing for ${silentS} s although the exchange has something newer`;
    sink.lost(channel, { reason: "stale", detail });
    subscription.timesMissed++;
    const nowMs = clock.nowMs();
    const suspects = [...this.#subscriptions.values()].filter(
      (each) => each.watch?.isSuspicious(nowMs) === true,
    );
    const isWhole = this.#subscriptions.size > 1 && suspects.length > this.#subscriptions.size / 2;
    if (isWhole) {
      this.#connection.fail(detail);
      return;
    }
    log.warn(`${detail}; it is subscribed to anew`);
    this.resubscribe(channel);
    // The others lose nothing by it.
    if (subscription.timesMissed > 1 && nowMs - this.connectedMs > REPLACE_FOR_ONE_MS) this.#renew(detail);
  }

  #lookWhetherSettled(): void {
    const { clock, isCarriedElsewhere } = this.#options;
    const nowMs = clock.nowMs();
    for (const { channel, state, hasSent, watch } of this.#subscriptions.values()) {
      if (state === "waiting") return;
      if (state === "postponed" && isCarriedElsewhere(channel)) return;
      if (state === "acked" && !hasSent && nowMs - (watch?.sinceMs ?? nowMs) < FIRST_MESSAGE_WAIT_MS) return;
    }
    this.#settle();
  }

  #onText(text: string): void {
    if (this.#isClosed) return;
    const { clock, dialect, onFrame, plan } = this.#options;
    const receivedMs = clock.nowMs();
    onFrame?.({ text, receivedMs, connectionId: this.id, path: plan.path });
    try {
      const messages = dialect.decode(text, this.#channelOf);
      for (let index = 0; index < messages.length; index++) {
        const message = messages[index];
        if (message) this.#onMessage(message, { text, receivedMs, index });
      }
    } catch (error) {
      // A mistake of ours in one message must not take the process down: it is kept, to be looked at.
      this.#onUnreadable(undefined, "$", describeError(error), text, receivedMs);
    }
  }

  readonly #channelOf = (topic: string): LiveChannel | undefined => this.#subscriptions.get(topic)?.channel;

  #onMessage(message: LiveMessage, frame: { text: string; receivedMs: number; index: number }): void {
    const { text, receivedMs } = frame;
    switch (message.kind) {
      case "trades":
      case "candle":
      case "book": {
        const subscription = this.#subscriptions.get(message.topic);
        if (subscription) {
          const { traffic } = subscription;
          traffic.messages++;
          traffic.bytes += text.length;
          this.#onData(subscription, message, frame);
        } else this.#onUnreadable(message.topic, "$", "nobody subscribed to it", text, receivedMs);
        return;
      }
      case "ack":
        this.#onAck(message, receivedMs);
        return;
      case "refused":
        this.#onRefused(message);
        return;
      case "closing":
        this.#options.log.info(`the exchange announces the end of a connection: ${message.detail}`);
        this.#renew(message.detail);
        return;
      case "malformed":
        this.#onUnreadable(message.topic, message.path, message.detail, text, receivedMs);
        return;
      case "pong":
      case "ignored":
        return;
    }
  }

  #onData(
    subscription: Subscription,
    message: LiveMessage,
    { receivedMs, index }: { receivedMs: number; index: number },
  ): void {
    // Data before its ack is an ack.
    if (subscription.state === "waiting") {
      this.#acknowledge(subscription, receivedMs);
      subscription.isPresumed = true;
    }
    subscription.hasSent = true;
    subscription.timesMissed = 0;
    subscription.watch?.onMessage(receivedMs);
    this.#options.sink.message(subscription.channel, message, { connectionId: this.id, receivedMs, index });
  }

  #onAck({ id, topics, isSubscribed }: Extract<LiveMessage, { kind: "ack" }>, receivedMs: number): void {
    const acked = topics ?? (id === undefined ? undefined : this.#asked.get(id)) ?? [];
    if (!isSubscribed) return;
    for (const topic of acked) {
      const subscription = this.#subscriptions.get(topic);
      // By its id a message is acknowledged without those of its topics that were refused.
      if (subscription?.state === "waiting" || (subscription?.state === "postponed" && topics !== undefined))
        this.#acknowledge(subscription, receivedMs);
      else if (subscription) subscription.isPresumed = false;
    }
  }

  #acknowledge(subscription: Subscription, receivedMs: number): void {
    subscription.state = "acked";
    subscription.isPresumed = false;
    subscription.hasCarried = true;
    subscription.timesAsked = 0;
    subscription.refusal = { count: 0, dueMs: undefined, isAlone: false, detail: undefined };
    subscription.watch = new ChannelWatch(receivedMs);
    this.#options.sink.opened(subscription.channel, this.id);
  }

  #onRefused({ id, topic, fault, detail }: Extract<LiveMessage, { kind: "refused" }>): void {
    const { log } = this.#options;
    const topics = topic !== undefined ? [topic] : id === undefined ? [] : (this.#asked.get(id) ?? []);
    const concerned = topics
      .map((each) => this.#subscriptions.get(each))
      .filter((each) => each !== undefined)
      .filter(({ state, isPresumed }) => state === "waiting" || isPresumed)
      .filter(({ askId }) => id === undefined || id === askId);
    if (concerned.length === 0) {
      log.warn(`the exchange refuses something (${fault.kind}): ${detail}`);
      return;
    }
    const attempt = 1 + Math.max(...concerned.map(({ refusal }) => refusal.count));
    const nowMs = this.#options.clock.nowMs();
    const plan = planRetry(fault, attempt, { ...REFUSED_BACKOFF, random: this.#refusalJitter, nowMs });
    if (plan.do === "retry") {
      // Refused again, and not for our pace: one of them may spoil the message for the others.
      if (concerned.length > 1 && attempt > 1 && fault.kind !== "rate_limit")
        for (const { refusal } of concerned) refusal.isAlone = true;
      this.#postpone(concerned, { detail, attempt, delayMs: plan.delayMs });
      return;
    }
    // Which of several it was is not said: each is asked for by itself.
    if (topic === undefined && concerned.length > 1) {
      this.#beside(async () => {
        for (const each of concerned) await this.#subscribe([each], this.#stop.signal);
      });
      return;
    }
    for (const each of concerned) {
      each.state = "refused";
      this.#tellRefused(each, detail);
    }
  }

  /** Refused in passing: asked for again, later and later. */
  #postpone(
    subscriptions: readonly Subscription[],
    { detail, attempt, delayMs }: { detail: string; attempt: number; delayMs: number },
  ): void {
    const { clock, log } = this.#options;
    const again = `${detail}; it is asked for again in ${Math.round(delayMs / 1_000)} s`;
    for (const each of subscriptions) {
      each.state = "postponed";
      each.watch = undefined;
      each.refusal.count = attempt;
      each.refusal.dueMs = clock.nowMs() + delayMs;
      if (each.refusal.detail === undefined) this.#tellRefused(each, again);
      else log.debug(`${each.topic} is refused: ${again}`);
    }
  }

  #tellRefused(subscription: Subscription, detail: string): void {
    const { sink, isCarriedElsewhere } = this.#options;
    subscription.refusal.detail = detail;
    if (!isCarriedElsewhere(subscription.channel))
      sink.lost(subscription.channel, { reason: "refused", detail });
  }

  #onBinary({ bytes, sample }: { bytes: number; sample: string }): void {
    this.#onUnreadable(
      undefined,
      "$",
      `a binary frame of ${bytes} bytes, expected text`,
      sample,
      this.#options.clock.nowMs(),
    );
  }

  #onUnreadable(
    topic: string | undefined,
    path: string,
    detail: string,
    text: string,
    receivedMs: number,
  ): void {
    this.#options.sink.unreadable({ topic, path, detail, sample: text.slice(0, SAMPLE_CHARS), receivedMs });
  }
}

/** Of an unreadable frame, kept with what was wrong. */
const SAMPLE_CHARS = 2_000;
