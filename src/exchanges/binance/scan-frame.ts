// The frames Binance sends most of, changes of books and aggregated trades, read without JSON.parse. Out: what JSON.parse would make of
// the frame, but for levels, which are cut to price and quantity; undefined where anything is not as Binance writes it.
import type { WireLevel } from "../../core/model/book.js";
import { FrameScanner } from "../frame-scanner.js";
import type { WireObject } from "../wire-fields.js";

/** Holds nothing between two frames. */
const scanner = new FrameScanner();

/**
 * `{"stream":"btcusdt@depth@100ms","data":{"e":"depthUpdate","E":1672515782136,"s":"BTCUSDT","U":157,"u":160,"b":[…],"a":[…]}}`, and
 * `{"stream":"btcusdt@aggTrade","data":{"e":"aggTrade",…}}`
 */
export function scanFrame(text: string): WireObject | undefined {
  scanner.begin(text);
  if (!scanner.skip('{"stream":')) return undefined;
  const stream = scanner.quoted();
  if (stream === undefined || !scanner.skip(',"data":{"e":')) return undefined;
  const data = scanner.skip('"depthUpdate"')
    ? scanDepth()
    : scanner.skip('"aggTrade"')
      ? scanAggTrade()
      : undefined;
  if (data === undefined || !scanner.skip("}}") || !scanner.isAtEnd()) return undefined;
  return { stream, data };
}

/** The fields after `e` in any order, each once at most. The futures send `T` and `pu` besides. */
function scanDepth(): WireObject | undefined {
  let E: number | undefined;
  let T: number | undefined;
  let s: string | undefined;
  let U: number | undefined;
  let u: number | undefined;
  let pu: number | undefined;
  let b: readonly WireLevel[] | undefined;
  let a: readonly WireLevel[] | undefined;
  while (scanner.comma()) {
    switch (scanner.letterKey()) {
      case KEY.E:
        if (E !== undefined || (E = scanner.integer()) === undefined) return undefined;
        break;
      case KEY.T:
        if (T !== undefined || (T = scanner.integer()) === undefined) return undefined;
        break;
      case KEY.s:
        if (s !== undefined || (s = scanner.quoted()) === undefined) return undefined;
        break;
      case KEY.U:
        if (U !== undefined || (U = scanner.integer()) === undefined) return undefined;
        break;
      case KEY.u:
        if (u !== undefined || (u = scanner.integer()) === undefined) return undefined;
        break;
      case KEY.b:
        if (b !== undefined || (b = scanner.levels()) === undefined) return undefined;
        break;
      case KEY.a:
        if (a !== undefined || (a = scanner.levels()) === undefined) return undefined;
        break;
      default:
        if (pu !== undefined || !scanner.skip('"pu":') || (pu = scanner.integer()) === undefined)
          return undefined;
    }
  }
  return { e: "depthUpdate", E, T, s, U, u, pu, b, a };
}

function scanAggTrade(): WireObject | undefined {
  let E: number | undefined;
  let s: string | undefined;
  let a: number | undefined;
  let p: string | undefined;
  let q: string | undefined;
  let f: number | undefined;
  let l: number | undefined;
  let T: number | undefined;
  let m: boolean | undefined;
  let M: boolean | undefined;
  while (scanner.comma()) {
    switch (scanner.letterKey()) {
      case KEY.E:
        if (E !== undefined || (E = scanner.integer()) === undefined) return undefined;
        break;
      case KEY.s:
        if (s !== undefined || (s = scanner.quoted()) === undefined) return undefined;
        break;
      case KEY.a:
        if (a !== undefined || (a = scanner.integer()) === undefined) return undefined;
        break;
      case KEY.p:
        if (p !== undefined || (p = scanner.quoted()) === undefined) return undefined;
        break;
      case KEY.q:
        if (q !== undefined || (q = scanner.quoted()) === undefined) return undefined;
        break;
      case KEY.f:
        if (f !== undefined || (f = scanner.integer()) === undefined) return undefined;
        break;
      case KEY.l:
        if (l !== undefined || (l = scanner.integer()) === undefined) return undefined;
        break;
      case KEY.T:
        if (T !== undefined || (T = scanner.integer()) === undefined) return undefined;
        break;
      case KEY.m:
        if (m !== undefined || (m = scanner.flag()) === undefined) return undefined;
        break;
      case KEY.M:
        if (M !== undefined || (M = scanner.flag()) === undefined) return undefined;
        break;
      default:
        return undefined;
    }
  }
  return { e: "aggTrade", E, s, a, p, q, f, l, T, m, M };
}

/** Binance's keys, as character codes. */
const KEY = {
  E: 69,
  M: 77,
  T: 84,
  U: 85,
  a: 97,
  b: 98,
  f: 102,
  l: 108,
  m: 109,
  p: 112,
  q: 113,
  s: 115,
  u: 117,
} as const;
