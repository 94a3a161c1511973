// The error handling without the rest: classified faults, and retries that honour what the exchange asks for.
// node examples/retry.mjs
import { classifyError, retryWithBackoff, systemClock, TickwellError } from "tickwell";

let calls = 0;
const answer = await retryWithBackoff(
  async (attempt) => {
    calls++;
    if (attempt < 3) throw new TickwellError({ kind: "rate_limit", retryAfterMs: 50 }, "too many requests");
    return "answered";
  },
  {
    attempts: 5,
    baseDelayMs: 20,
    maxDelayMs: 1_000,
    clock: systemClock,
    random: { next: Math.random },
    signal: AbortSignal.timeout(5_000),
    onRetry: ({ error, attempt, delayMs }) =>
      console.log(`attempt ${attempt}: ${classifyError(error).kind}, again in ${delayMs} ms`),
  },
);
console.log(`${answer} after ${calls} calls`);
