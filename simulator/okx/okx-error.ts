// OKX's refusals: {"code", "msg", "data": []}, most of them with HTTP 200.

/** Thrown by an endpoint; the server writes it as the answer. */
export class OkxError extends Error {
  override readonly name = "OkxError";
  readonly code: string;
  readonly status: number;

  constructor(code: string, message: string, status = 200) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

export function unknownInstrument(): OkxError {
  return new OkxError("51001", "Instrument ID, Instrument ID code, or Spread ID doesn't exist.");
}

export function parameterError(name: string): OkxError {
  return new OkxError("51000", `Parameter ${name} error`);
}
