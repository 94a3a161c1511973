// Frames of OKX's WebSocket into messages. In: one text frame. Out: what it says; never an error, and nothing that was not
// checked.
import type { TradeCandidate } from "../../core/model/trade.js";
import { describeError } from "../../core/fault.js";
import type { LiveChannel, LiveMessage } from "../live.js";
import { scanFrame } from "./scan-frame.js";
import { asInteger, asObject, asText, looksLikeLevels, type WireObject } from "../wire-fields.js";
import { decodeCandle, decodeInteger, decodeTrade } from "./decode.js";
import { faultOfCode } from "./errors.js";
import { topicOfArg } from "./stream-names.js";

const SHOWN_CHARS = 60;
/** Sixty seconds' notice of a service upgrade. */
const UPGRADE_SOON = "64008";

/**
 * An answer, and data:
 * ```json
 * {"id":"1512","event":"subscribe","arg":{"channel":"books","instId":"BTC-USDT"},"connId":"a4d3ae55"}
 * {"event":"error","code":"60018","msg":"Wrong URL or channel:books,instId:BTC-XXX doesn't exist. …","connId":"a4d3ae55"}
 * {"arg":{"channel":"trades","instId":"BTC-USDT"},"data":[{"instId":"BTC-USDT","tradeId":"130639474","px":"42219.9",
 *  "sz":"0.12060306","side":"buy","ts":"1630048897897","count":"3"}]}
 * ```
 * @see https://www.okx.com/docs-v5/en/#overview-websocket
 */
export function decodeFrame(
  text: string,
  channelOf: (topic: string) => LiveChannel | undefined,
): readonly LiveMessage[] {
  if (text === "pong") return [{ kind: "pong" }];
  const scanned = scanFrame(text);
  if (scanned !== undefined) return decodeObject(scanned, channelOf);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return [malformed(undefined, "$", `not JSON: ${text.slice(0, SHOWN_CHARS)}`)];
  }
  const frame = asObject(json);
  if (frame === undefined) return [malformed(undefined, "$", "expected an object")];
  return decodeObject(frame, channelOf);
}

function decodeObject(
  frame: WireObject,
  channelOf: (topic: string) => LiveChannel | undefined,
): readonly LiveMessage[] {
  if (frame.event !== undefined) return [decodeEvent(frame)];
  const topic = topicOfArg(frame.arg);
  if (topic === undefined) return [malformed(undefined, "$.arg", "expected a channel and an instrument")];
  const channel = channelOf(topic);
  if (channel === undefined) return [malformed(topic, "$.arg", "nobody subscribed to it")];
  const { data } = frame;
  if (!Array.isArray(data)) return [malformed(topic, "$.data", "expected a list")];
  switch (channel.kind) {
    case "trades":
      return decodeTrades(topic, data, channel);
    case "book":
      return data.map((row: unknown) => decodeBook(topic, row, { action: frame.action, channel }));
    case "candles":
      return data.map((row: unknown) => decodeCandleRow(topic, row, channel));
  }
}

function decodeEvent(frame: WireObject): LiveMessage {
  const id = asText(frame.id);
  const topic = topicOfArg(frame.arg);
  switch (frame.event) {
    case "subscribe":
    case "unsubscribe": {
      const topics = topic === undefined ? undefined : [topic];
      return { kind: "ack", id: undefined, topics, isSubscribed: frame.event === "subscribe" };
    }
    case "error": {
      const code = asText(frame.code) ?? "";
      const detail = `${code}: ${asText(frame.msg) ?? ""}`;
      const fault = faultOfCode(code);
      return { kind: "refused", id, topic: topic ?? topicInWords(asText(frame.msg) ?? ""), fault, detail };
    }
    case "notice":
      return frame.code === UPGRADE_SOON
        ? { kind: "closing", detail: asText(frame.msg) ?? UPGRADE_SOON }
        : { kind: "ignored" };
    default:
      return { kind: "ignored" };
  }
}

/** A refusal names its subject in its text only. */
function topicInWords(msg: string): string | undefined {
  const match = /channel"?:\s*"?([\w-]+)"?,\s*"?instId"?:\s*"?([^\s",}]+)/.exec(msg);
  return match ? `${match[1]}:${match[2]}` : undefined;
}

function decodeTrades(topic: string, rows: readonly unknown[], channel: LiveChannel): readonly LiveMessage[] {
  const candidates: TradeCandidate[] = [];
  const messages: LiveMessage[] = [];
  for (const row of rows) {
    try {
      const { nativeSymbol, contractSize } = channel;
      const trade = decodeTrade(row, { nativeSymbol, contractSize });
      // `trades` sums the fills of one taker order up under the last one's id, and tells their number.
      const count = decodeInteger(asObject(row)?.count) ?? 1;
      candidates.push(
        trade.id === undefined || count < 1 ? trade : { ...trade, firstFillId: trade.id - count + 1 },
      );
    } catch (error) {
      messages.push(malformed(topic, "$.data[].instId", describeError(error)));
    }
  }
  if (candidates.length > 0) messages.push({ kind: "trades", topic, candidates });
  return messages;
}

function decodeBook(
  topic: string,
  raw: unknown,
  { action, channel }: { action: unknown; channel: LiveChannel },
): LiveMessage {
  if (action !== "snapshot" && action !== "update")
    return malformed(
      topic,
      "$.action",
      `expected snapshot or update, found ${JSON.stringify(action) ?? "nothing"}`,
    );
  const row = asObject(raw);
  if (row === undefined) return malformed(topic, "$.data[0]", "expected an object");
  const lastId = asInteger(row.seqId);
  const previousId = asInteger(row.prevSeqId);
  const { bids, asks } = row;
  if (!looksLikeLevels(bids)) return malformed(topic, "$.data[0].bids", "expected levels of texts");
  if (!looksLikeLevels(asks)) return malformed(topic, "$.data[0].asks", "expected levels of texts");
  if (lastId === undefined) return malformed(topic, "$.data[0].seqId", "expected a sequence number");
  if (previousId === undefined) return malformed(topic, "$.data[0].prevSeqId", "expected a sequence number");
  const checksum = asInteger(row.checksum);
  return {
    kind: "book",
    topic,
    update: {
      nativeSymbol: channel.nativeSymbol,
      isSnapshot: action === "snapshot",
      firstId: lastId,
      lastId,
      previousId,
      timeMs: decodeInteger(row.ts),
      // Since June 2026 it is always there and always 0.
      checksum: checksum === 0 ? undefined : checksum,
      bids,
      asks,
    },
  };
}

function decodeCandleRow(topic: string, row: unknown, { nativeSymbol }: LiveChannel): LiveMessage {
  const candidate = decodeCandle(row, { isSwap: nativeSymbol.endsWith("-SWAP") });
  if (candidate.isClosed === undefined) return malformed(topic, "$.data[0][8]", 'expected "0" or "1"');
  return { kind: "candle", topic, candidate, isClosed: candidate.isClosed };
}

function malformed(topic: string | undefined, path: string, detail: string): LiveMessage {
  return { kind: "malformed", topic, path, detail };
}
