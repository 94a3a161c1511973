// Circuit breakers of one host: one for each market asked about, and one for the host. In: attempts and what became of
// them. Out: permission to ask, or the fault that opened a circuit, at once.
//
// A market that hangs opens its own circuit, and must not close the host to the others. A host that is down must not be
// asked ten times for each of a thousand markets:
// 1. Failures are counted for the market, and for the host whatever the market. An answer closes both.
// 2. A market's open circuit stops its own requests only.
// 3. The host's open circuit stops the markets whose last attempt has failed as well. One that was answered the last
//    time, or was never asked, may ask: once, if the host is down; and if it is not, its answer opens the way for all.
import type { CircuitBreakerOptions } from "./circuit-breaker.js";
import { CircuitBreaker } from "./circuit-breaker.js";

export class HostCircuits {
  readonly #options: CircuitBreakerOptions;
  readonly #host: CircuitBreaker;
  readonly #markets = new Map<string, CircuitBreaker>();

  /** @param options of the host's circuit; the markets' are alike */
  constructor(options: CircuitBreakerOptions) {
    this.#options = options;
    this.#host = new CircuitBreaker(options);
  }

  /**
   * @param market undefined for what is about none
   * @throws TickwellError of the kind that opened a circuit, when an attempt would not pass now
   */
  check(market: string | undefined): void {
    const own = this.#of(market);
    own.check();
    if (own.hasFailed) this.#host.check();
  }

  /**
   * Makes one attempt, if it passes, and learns from its end.
   * @throws what {@link HostCircuits.check} and `attempt` throw
   */
  async run<T>(market: string | undefined, attempt: () => Promise<T>): Promise<T> {
    this.check(market);
    const own = this.#of(market);
    return own.run(() => (own.hasFailed ? this.#host.run(attempt) : this.#host.observe(attempt)));
  }

  #of(market: string | undefined): CircuitBreaker {
    const name = market ?? "";
    const known = this.#markets.get(name);
    if (known) return known;
    const { subject } = this.#options;
    const created = new CircuitBreaker({
      ...this.#options,
      subject: market === undefined ? subject : `${subject}, asked about ${market},`,
    });
    this.#markets.set(name, created);
    return created;
  }
}
