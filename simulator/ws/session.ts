// A venue's protocol on one connection: what it makes of messages, and by which rules the connection lives.

export interface Session {
  /** Of a connection that has reached the end of its lifetime. */
  readonly endCode: number;
  readonly endReason: string;
  /** A text message; an empty one for a binary message, which no venue takes. */
  onMessage(text: string): void;
  onControl(kind: "ping" | "pong", data: Buffer): void;
  /** Called with every round of the pump, before what is due is sent. */
  tick(nowMs: number): void;
  /** A payload in the envelope of its stream. */
  wrap(name: string, payload: string): string;
  /** What announces that the connection will be closed. */
  shutdownNotice(nowMs: number): string;
}
