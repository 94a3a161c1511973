// Looks at the rules now and then: what they find is raised, what they no longer find is resolved, also where an earlier run
// has raised it.
import type { Alerts } from "../alerts.js";
import { kindOf } from "../alert-message.js";
import type { WatchRule } from "./watch-rule.js";

export interface AlertWatchOptions {
  readonly alerts: Pick<Alerts, "raise" | "resolve">;
  readonly rules: readonly WatchRule[];
  /** Keys of the alerts an earlier run has left open. */
  readonly openKeys: readonly string[];
}

export class AlertWatch {
  readonly #options: AlertWatchOptions;
  /** Open alerts of our kinds, with what was said of them; undefined where an earlier run has said it. */
  readonly #open: Map<string, string | undefined>;

  constructor(options: AlertWatchOptions) {
    this.#options = options;
    const kinds = new Set(options.rules.map(({ kind }) => kind));
    const own = options.openKeys.filter((key) => kinds.has(kindOf(key)));
    this.#open = new Map(own.map((key) => [key, undefined]));
  }

  look(nowMs: number): void {
    const { alerts, rules } = this.#options;
    for (const rule of rules) {
      const found = rule.look(nowMs);
      if (!found) continue;
      for (const alert of found) {
        // Said again only when there is something new to say: the record counts how often it was.
        if (this.#open.get(alert.key) !== alert.text) alerts.raise(alert);
        this.#open.set(alert.key, alert.text);
      }
      const keys = new Set(found.map(({ key }) => key));
      for (const key of [...this.#open.keys()]) {
        if (kindOf(key) !== rule.kind || keys.has(key)) continue;
        this.#open.delete(key);
        alerts.resolve(key, rule.over);
      }
    }
  }
}
