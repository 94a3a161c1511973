// One WebSocket for the whole page. Whoever wants a channel says so and is told its messages; when the connection breaks it is opened
// again for ever, with everything that is wanted subscribed to anew.
import { token, type StreamChannel, type StreamMessage } from "./api.js";

export type Listener = (message: StreamMessage) => void;
export type StreamState = "connecting" | "open" | "lost";

interface Wish {
  readonly channel: StreamChannel;
  readonly markets: readonly string[];
  readonly listener: Listener;
}

const AGAIN_FIRST_MS = 500;
const AGAIN_MAX_MS = 10_000;

export class Stream {
  readonly #wishes = new Set<Wish>();
  readonly #watchers = new Set<() => void>();
  #socket: WebSocket | undefined;
  #againMs = AGAIN_FIRST_MS;
  #state: StreamState = "connecting";
  #openings = 0;

  get state(): StreamState {
    return this.#state;
  }

  get openings(): number {
    return this.#openings;
  }

  /**
   * Tells that something has changed; read it before and after, for it may have changed in between.
   * @returns takes the watcher off again
   */
  watch(watcher: () => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** @returns ends the subscription */
  subscribe(channel: StreamChannel, markets: readonly string[], listener: Listener): () => void {
    const wish: Wish = { channel, markets, listener };
    this.#wishes.add(wish);
    this.#send("subscribe", wish);
    return () => {
      this.#wishes.delete(wish);
      const others = [...this.#wishes].filter((each) => each.channel === channel);
      const needed = new Set(others.flatMap((each) => each.markets));
      const unneeded = markets.filter((market) => !needed.has(market));
      if (unneeded.length > 0) this.#send("unsubscribe", { ...wish, markets: unneeded });
    };
  }

  open(): void {
    const url = new URL("api/v1/stream", location.href);
    url.protocol = url.protocol.replace("http", "ws");
    const bearer = token();
    const protocols = [
      "tickwell.v1",
      ...(bearer === undefined ? [] : [`bearer.${encodeURIComponent(bearer)}`]),
    ];
    const socket = new WebSocket(url, protocols);
    this.#socket = socket;
    socket.onopen = () => {
      this.#againMs = AGAIN_FIRST_MS;
      this.#openings++;
      for (const wish of this.#wishes) this.#send("subscribe", wish);
      this.#become("open");
    };
    socket.onmessage = ({ data }) => this.#tell(JSON.parse(String(data)) as StreamMessage);
    socket.onclose = () => {
      this.#become("lost");
      setTimeout(() => this.open(), this.#againMs);
      this.#againMs = Math.min(this.#againMs * 2, AGAIN_MAX_MS);
    };
  }

  #send(op: "subscribe" | "unsubscribe", { channel, markets }: Wish): void {
    if (this.#socket?.readyState === WebSocket.OPEN)
      this.#socket.send(JSON.stringify({ op, channel, markets }));
  }

  #tell(message: StreamMessage): void {
    for (const { channel, markets, listener } of this.#wishes) {
      if (message.type !== channel) continue;
      const about = "market" in message ? message.market : undefined;
      if (about === undefined || markets.includes("*") || markets.includes(about)) listener(message);
    }
  }

  #become(state: StreamState): void {
    this.#state = state;
    for (const watcher of this.#watchers) watcher();
  }
}

export const stream = new Stream();
