// The frames OKX sends most of, changes of books, read without JSON.parse. Out: what JSON.parse would make of the frame, but for
// levels, which are cut to price and quantity; undefined where anything is not as OKX writes it.
import { FrameScanner } from "../frame-scanner.js";
import type { WireObject } from "../wire-fields.js";

/** Holds nothing between two frames. */
const scanner = new FrameScanner();

/**
 * `{"arg":{"channel":"books","instId":"BTC-USDT"},"action":"update","data":[{"asks":[["8476.98","415","0","13"],…],"bids":[…],
 * "ts":"1597026383085","checksum":0,"prevSeqId":123456,"seqId":123457}]}`
 */
export function scanFrame(text: string): WireObject | undefined {
  scanner.begin(text);
  if (!scanner.skip('{"arg":{"channel":')) return undefined;
  const channel = scanner.quoted();
  if (channel === undefined || !scanner.skip(',"instId":')) return undefined;
  const instId = scanner.quoted();
  if (instId === undefined) return undefined;
  if (!scanner.skip('},"action":')) return undefined;
  const action = scanner.quoted();
  if (action === undefined || !scanner.skip(',"data":[{')) return undefined;
  const row = scanBook();
  if (row === undefined || !scanner.skip("]}") || !scanner.isAtEnd()) return undefined;
  return { arg: { channel, instId }, action, data: [row] };
}

/** The fields of a book in any order, each once at most, up to its closing brace. */
function scanBook(): WireObject | undefined {
  let asks: unknown;
  let bids: unknown;
  let ts: unknown;
  let checksum: unknown;
  let prevSeqId: unknown;
  let seqId: unknown;
  do {
    if (asks === undefined && scanner.skip('"asks":')) {
      if ((asks = scanner.levels()) === undefined) return undefined;
    } else if (bids === undefined && scanner.skip('"bids":')) {
      if ((bids = scanner.levels()) === undefined) return undefined;
    } else if (ts === undefined && scanner.skip('"ts":')) {
      if ((ts = scanner.quoted()) === undefined) return undefined;
    } else if (checksum === undefined && scanner.skip('"checksum":')) {
      if ((checksum = scanner.integer()) === undefined) return undefined;
    } else if (prevSeqId === undefined && scanner.skip('"prevSeqId":')) {
      if ((prevSeqId = scanner.integer()) === undefined) return undefined;
    } else if (seqId === undefined && scanner.skip('"seqId":')) {
      if ((seqId = scanner.integer()) === undefined) return undefined;
    } else return undefined;
  } while (scanner.skip(","));
  return scanner.skip("}") ? { asks, bids, ts, checksum, prevSeqId, seqId } : undefined;
}
