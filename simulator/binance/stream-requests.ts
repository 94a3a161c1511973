// What clients of Binance's streams send: {"method":"SUBSCRIBE","params":["btcusdt@aggTrade"],"id":1}, checked.

const METHODS = ["SUBSCRIBE", "UNSUBSCRIBE", "LIST_SUBSCRIPTIONS", "SET_PROPERTY", "GET_PROPERTY"] as const;
export type StreamMethod = (typeof METHODS)[number];

export type RequestId = number | string | null;

export interface StreamRequest {
  readonly method: StreamMethod;
  readonly params: readonly unknown[];
  readonly id: RequestId;
}

/** A refusal, with the code that Binance has for it: 0 unknown property, 1 wrong type, 2 invalid request, 3 no JSON. */
export interface StreamRefusal {
  readonly code: 0 | 1 | 2 | 3;
  readonly msg: string;
  readonly id?: RequestId;
}

const ID_TEXT = /^[A-Za-z0-9]{0,36}$/;

export function parseStreamRequest(text: string): StreamRequest | StreamRefusal {
  const document = parseJson(text);
  if (document === undefined) return { code: 3, msg: "Invalid JSON: expected value at line 1 column 1" };
  if (typeof document !== "object" || document === null || Array.isArray(document)) {
    return invalid("request must be an object");
  }
  const { method, params = [], id = null } = document as Record<string, unknown>;
  if (typeof method !== "string") return invalid("missing field `method`");
  const known = METHODS.find((each) => each === method);
  if (known === undefined) {
    return invalid(`unknown variant \`${method}\`, expected one of \`${METHODS.join("`, `")}\``);
  }
  if (!isId(id))
    return invalid("request ID must be an unsigned integer, a text of up to 36 characters or null");
  if (!Array.isArray(params)) return invalid("params must be a list");
  return { method: known, params, id };
}

function invalid(what: string): StreamRefusal {
  return { code: 2, msg: `Invalid request: ${what}` };
}

function isId(id: unknown): id is RequestId {
  return id === null || Number.isSafeInteger(id) || (typeof id === "string" && ID_TEXT.test(id));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
