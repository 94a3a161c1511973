// Tells trouble from bad luck: one line when requests fail three times in a row, one when they work again.
// node examples/track-failures.mjs
import { ConsecutiveFailureTracker, createExchange, startSimulatedExchange, systemClock } from "tickwell";

const never = new AbortController().signal;
const faults = { faults: [{ kind: "http_5xx", count: 4 }] };
const simulator = await startSimulatedExchange({ seed: 7, clock: systemClock, faults });
const tracker = new ConsecutiveFailureTracker({
  threshold: 3,
  onChange: ({ status, key, failures }) => console.log(`${status}: ${key}, ${failures} failures in a row`),
});
const exchange = createExchange("binance", {
  restUrl: simulator.url,
  retry: { attempts: 1, baseDelayMs: 20, maxDelayMs: 100 },
  onFailure: (failure) => tracker.failed(failure),
  onSuccess: (success) => tracker.succeeded(success),
});

for (let request = 1; request <= 6; request++) {
  const outcome = await exchange.fetchServerTime(never).then(
    () => "answered",
    () => "failed",
  );
  console.log(`request ${request} ${outcome}`);
}

await exchange.close();
await simulator.close();
