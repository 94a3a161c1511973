// Binance's refusals: an HTTP status with {"code", "msg"}.

/** Thrown by an endpoint; the server writes it as the answer. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly status: number;
  readonly code: number;

  constructor(code: number, message: string, status = 400) {
    super(message);
    this.code = code;
    this.status = status;
  }
}

export function invalidSymbol(): ApiError {
  return new ApiError(-1121, "Invalid symbol.");
}

export function notValid(parameter: string): ApiError {
  return new ApiError(-1130, `Data sent for parameter '${parameter}' is not valid.`);
}
