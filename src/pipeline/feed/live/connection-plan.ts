// Which channels share a connection, within what the venue allows.
import type { LiveChannel, LiveDialect } from "../../../exchanges/live.js";

/** One connection and what it carries. */
export interface PlannedConnection {
  readonly path: string;
  readonly channels: readonly LiveChannel[];
}

/**
 * Spreads channels over connections: those of one path together, in their order, each connection filled before the next
 * begins, so that a channel added at the end moves no other.
 */
export function planConnections(
  dialect: Pick<LiveDialect, "limits" | "pathOf">,
  channels: readonly LiveChannel[],
): PlannedConnection[] {
  const { topicsPerConnection, booksPerConnection = Infinity } = dialect.limits;
  const planned: { path: string; channels: LiveChannel[]; books: number }[] = [];
  for (const channel of channels) {
    const path = dialect.pathOf(channel);
    const isBook = channel.kind === "book";
    let home = planned.find(
      (each) =>
        each.path === path &&
        each.channels.length < topicsPerConnection &&
        (!isBook || each.books < booksPerConnection),
    );
    if (!home) planned.push((home = { path, channels: [], books: 0 }));
    home.channels.push(channel);
    if (isBook) home.books++;
  }
  return planned.map((each) => ({ path: each.path, channels: each.channels }));
}
