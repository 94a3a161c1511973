// A coverage strip: the last 24 hours of a market, a slot a quarter of an hour, drawn as few rectangles as there are changes.
import type { JSX } from "preact";
import type { MarketSummary } from "../api.js";
import { formatDuration } from "../format.js";

const NAMES: Readonly<Record<string, string>> = {
  c: "covered",
  v: "void",
  g: "gap",
  r: "repairing",
  "-": "not expected",
};

interface Run {
  readonly state: string;
  readonly from: number;
  readonly to: number;
}

function runsOf(states: string): Run[] {
  const runs: Run[] = [];
  for (let i = 0; i < states.length; i++) {
    const state = states.charAt(i);
    const last = runs.at(-1);
    if (last?.state === state) runs[runs.length - 1] = { ...last, to: i + 1 };
    else runs.push({ state, from: i, to: i + 1 });
  }
  return runs;
}

/** @param more what a reader is told behind it */
export function Strip({ strip, more }: { strip: MarketSummary["strip"]; more: string }): JSX.Element {
  const { states, slot_ms } = strip;
  const runs = runsOf(states);
  const words = ["c", "v", "r", "g"]
    .map((state) => ({ state, slots: [...states].filter((each) => each === state).length }))
    .filter(({ slots }) => slots > 0)
    .map(({ state, slots }) => `${NAMES[state] ?? ""} ${formatDuration(slots * slot_ms)}`)
    .join(", ");
  const told = `last 24 hours: ${words === "" ? "nothing expected" : words}${more}`;
  return (
    <svg
      class="strip"
      viewBox={`0 0 ${states.length} 10`}
      preserveAspectRatio="none"
      role="img"
      aria-label={told}
    >
      <title>{told}</title>
      {runs.map(({ state, from, to }) => (
        // Void is lower and gap is taller: told apart without colour.
        <rect
          key={from}
          class={`s-${NAMES[state]?.split(" ")[0] ?? "not"}`}
          x={from}
          width={to - from}
          y={state === "v" ? 4 : state === "g" || state === "r" ? 0 : 2}
          height={state === "v" ? 2 : state === "g" || state === "r" ? 10 : 6}
        />
      ))}
    </svg>
  );
}
