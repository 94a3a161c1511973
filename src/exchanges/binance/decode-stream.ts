// Frames of Binance's combined streams into messages, spot and USDⓈ-M. In: one text frame. Out: what it says; never an
// error, and nothing that was not checked.
import type { CandleCandidate } from "../../core/model/candle.js";
import type { LiveChannel, LiveMessage } from "../live.js";
import { scanFrame } from "./scan-frame.js";
import { asInteger, asObject, asText, looksLikeLevels, type WireObject } from "../wire-fields.js";
import { decodeAggTrade, decodeTradeEvent, type TradeRow } from "./decode.js";
import { readTimeMs } from "./wire-time.js";

const IGNORED: readonly LiveMessage[] = [{ kind: "ignored" }];
const SHOWN_CHARS = 60;

/**
 * A data frame, and an answer to what we sent:
 * ```json
 * {"stream":"btcusdt@aggTrade","data":{"e":"aggTrade","E":1672515782136,"s":"BTCUSDT","a":164325,"p":"16567.10","q":"0.001",
 *  "f":100,"l":105,"T":1672515782136,"m":true,"M":true}}
 * {"result":null,"id":1}
 * {"code":2,"msg":"Invalid request: …","id":1}
 * ```
 * @see https://developers.binance.com/docs/binance-spot-api-docs/web-socket-streams
 */
export function decodeFrame(
  text: string,
  channelOf: (topic: string) => LiveChannel | undefined,
): readonly LiveMessage[] {
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
  const topic = asText(frame.stream);
  if (topic === undefined) return decodeControl(frame);
  const data = asObject(frame.data);
  if (data === undefined) return [malformed(topic, "$.data", "expected an object")];
  if (data.e === "serverShutdown") return [{ kind: "closing", detail: "serverShutdown" }];
  const channel = channelOf(topic);
  if (channel === undefined) return [malformed(topic, "$.stream", "nobody subscribed to it")];
  if (data.s !== channel.nativeSymbol)
    return [malformed(topic, "$.data.s", `expected ${channel.nativeSymbol}, found ${show(data.s)}`)];
  switch (data.e) {
    case "aggTrade":
    case "trade":
      // Aggregated and raw trades are numbered apart: the one is never taken for the other.
      return channel.kind === "trades" && topic.endsWith(`@${data.e}`)
        ? decodeTrade(topic, data, data.e === "trade" ? decodeTradeEvent : decodeAggTrade)
        : unexpected(topic, data.e);
    case "depthUpdate":
      return channel.kind === "book" ? [decodeDepth(topic, data)] : unexpected(topic, data.e);
    case "kline":
      return channel.kind === "candles"
        ? [decodeKlineEvent(topic, data, channel)]
        : unexpected(topic, data.e);
    default:
      return unexpected(topic, data.e);
  }
}

function decodeControl(frame: WireObject): readonly LiveMessage[] {
  const event = asObject(frame.data)?.e ?? frame.e;
  if (event === "serverShutdown") return [{ kind: "closing", detail: "serverShutdown" }];
  const id = typeof frame.id === "number" || typeof frame.id === "string" ? String(frame.id) : undefined;
  const error = asObject(frame.error) ?? (frame.code === undefined ? undefined : frame);
  if (error !== undefined) {
    const code = show(error.code);
    return [
      {
        kind: "refused",
        id,
        topic: undefined,
        fault: { kind: "bad_request", code },
        detail: `${code}: ${asText(error.msg) ?? ""}`,
      },
    ];
  }
  if ("result" in frame) return [{ kind: "ack", id, topics: undefined, isSubscribed: true }];
  return event === undefined ? [malformed(undefined, "$", "neither data nor an answer")] : IGNORED;
}

function decodeTrade(
  topic: string,
  raw: WireObject,
  decode: (raw: WireObject) => TradeRow,
): readonly LiveMessage[] {
  const { candidate, id } = decode(raw);
  // A duplicate that Binance has taken back holds an id and no trade: kept as unreadable, its id on record as missing.
  if (candidate === undefined) return [malformed(topic, "$.data.f", `trade ${show(id)} was taken back`)];
  return [{ kind: "trades", topic, candidates: [{ ...candidate, raw }] }];
}

function decodeDepth(topic: string, data: WireObject): LiveMessage {
  const firstId = asInteger(data.U);
  const lastId = asInteger(data.u);
  if (firstId === undefined) return malformed(topic, "$.data.U", "expected an update id");
  if (lastId === undefined) return malformed(topic, "$.data.u", "expected an update id");
  const { b: bids, a: asks } = data;
  if (!looksLikeLevels(bids)) return malformed(topic, "$.data.b", "expected levels of texts");
  if (!looksLikeLevels(asks)) return malformed(topic, "$.data.a", "expected levels of texts");
  return {
    kind: "book",
    topic,
    update: {
      nativeSymbol: data.s as string,
      isSnapshot: false,
      firstId,
      lastId,
      // Only the futures send it; spot counts without holes instead.
      previousId: asInteger(data.pu),
      // The futures tell when the engine changed it; spot only when the event was made.
      timeMs: readTimeMs(data.T ?? data.E),
      checksum: undefined,
      bids,
      asks,
    },
  };
}

function decodeKlineEvent(topic: string, data: WireObject, channel: LiveChannel): LiveMessage {
  const kline = asObject(data.k);
  if (kline === undefined) return malformed(topic, "$.data.k", "expected an object");
  if (kline.i !== channel.timeframe)
    return malformed(topic, "$.data.k.i", `expected ${channel.timeframe}, found ${show(kline.i)}`);
  if (typeof kline.x !== "boolean") return malformed(topic, "$.data.k.x", "expected true or false");
  const candidate: CandleCandidate = {
    openTimeMs: readTimeMs(kline.t),
    open: asText(kline.o),
    high: asText(kline.h),
    low: asText(kline.l),
    close: asText(kline.c),
    volume: asText(kline.v),
    quoteVolume: asText(kline.q),
    tradeCount: asInteger(kline.n),
    isClosed: kline.x,
    raw: kline,
  };
  return { kind: "candle", topic, candidate, isClosed: kline.x };
}

function unexpected(topic: string, event: unknown): readonly LiveMessage[] {
  return [malformed(topic, "$.data.e", `an event of another kind: ${show(event)}`)];
}

function malformed(topic: string | undefined, path: string, detail: string): LiveMessage {
  return { kind: "malformed", topic, path, detail };
}

function show(value: unknown): string {
  return (JSON.stringify(value) ?? "nothing").slice(0, SHOWN_CHARS);
}
