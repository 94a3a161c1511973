// Messages on their way out, made wrong in the ways a client must survive.
import type { FaultOf } from "../fault-conditions.js";
import type { SimulatedMarket } from "../simulated-market.js";

const MEGABYTE = 2 ** 20;

/**
 * @returns what is sent, and whether instead of the message, which is lost then, or before it
 */
export function spoilMessage(
  text: string,
  { how, mb }: FaultOf<"ws_corrupt">,
  market: SimulatedMarket | undefined,
): { readonly frame: string | Buffer; readonly isInstead: boolean } {
  switch (how) {
    case "cut":
      return { frame: text.slice(0, Math.ceil(text.length / 2)), isInstead: true };
    case "binary":
      return { frame: Buffer.from([0, 255, 1, 254, ...Buffer.from(text.slice(0, 20))]), isInstead: true };
    case "wrong_types":
      return { frame: JSON.stringify(turned(JSON.parse(text), swapType)), isInstead: true };
    case "numbers":
      return { frame: JSON.stringify(turned(JSON.parse(text), toNumber)), isInstead: true };
    case "unknown_event":
      return { frame: unknownEvent(text), isInstead: false };
    case "other_symbol":
      return { frame: market === undefined ? text : ofNobody(text, market.nativeSymbol), isInstead: false };
    case "huge":
      return { frame: `{"e":"notice","text":"${"x".repeat(mb * MEGABYTE)}"}`, isInstead: false };
  }
}

/** Every leaf of a document turned into another one. */
function turned(value: unknown, turn: (leaf: unknown) => unknown): unknown {
  if (Array.isArray(value)) return value.map((each) => turned(each, turn));
  if (typeof value === "object" && value !== null) {
    return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, turned(each, turn)]));
  }
  return turn(value);
}

function isNumeric(leaf: unknown): leaf is string {
  return typeof leaf === "string" && /^-?\d+(\.\d+)?$/.test(leaf);
}

/** Text of a number becomes a list, a number becomes text, a boolean a number; names stay, so that routing still works. */
function swapType(leaf: unknown): unknown {
  if (isNumeric(leaf)) return [leaf];
  if (typeof leaf === "number") return String(leaf);
  return typeof leaf === "boolean" ? Number(leaf) : leaf;
}

function toNumber(leaf: unknown): unknown {
  return isNumeric(leaf) ? Number(leaf) : leaf;
}

/** An event of a kind that no document names, in the envelope of the message. */
function unknownEvent(text: string): string {
  const document: unknown = JSON.parse(text);
  const instead = turned(document, (leaf) => leaf) as Record<string, unknown>;
  if ("arg" in instead) return JSON.stringify({ ...instead, arg: { channel: "tides", instId: "SEA-USDT" } });
  if ("stream" in instead) {
    return JSON.stringify({ stream: "sea@tides", data: { e: "tidesUpdate", E: 0, s: "SEA" } });
  }
  return JSON.stringify({ e: "tidesUpdate", E: 0, s: "SEA" });
}

/** The message as if it were of a market that nobody subscribed to. */
function ofNobody(text: string, nativeSymbol: string): string {
  const nobody = nativeSymbol.includes("-") ? "NOBODY-USDT" : "NOBODYUSDT";
  return text
    .replaceAll(`"${nativeSymbol}"`, `"${nobody}"`)
    .replaceAll(`"${nativeSymbol.toLowerCase()}@`, `"${nobody.toLowerCase()}@`);
}
