// One thing that is looked at now and then, and what of it a person should know.
import type { Alert } from "../alert-message.js";

export interface WatchRule {
  /** Before the first colon of its alerts' keys. */
  readonly kind: string;
  /** What is said of an alert that is over. */
  readonly over: string;
  /** The troubles there are now; undefined when that cannot be told at the moment, so that nothing begins or ends. */
  look(nowMs: number): readonly Alert[] | undefined;
}

/** The same rule, for troubles that come and go by themselves: one is told only when the look before has found it too. */
export function onSecondLook(rule: WatchRule): WatchRule {
  let before: ReadonlySet<string> = new Set();
  return {
    kind: rule.kind,
    over: rule.over,
    look(nowMs) {
      const found = rule.look(nowMs);
      if (!found) return undefined;
      const lasting = found.filter(({ key }) => before.has(key));
      before = new Set(found.map(({ key }) => key));
      return lasting;
    },
  };
}
