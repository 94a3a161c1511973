// A heat map of markets and days: the score of each day, with the share of it that has proof.
import type { JSX } from "preact";
import { askAll, pathOf, type QualityDay } from "../api.js";
import { formatCount, formatPercent } from "../format.js";
import { useAsked } from "../hooks.js";
import { Loaded, marketHref } from "../parts/common.js";

const DAYS = 30;

/** 0 for whole to 4 for bad; -1 for a day that was never checked. */
function gradeOf({ score }: QualityDay): number {
  if (score === null) return -1;
  return score >= 99.9 ? 0 : score >= 99 ? 1 : score >= 95 ? 2 : score >= 80 ? 3 : 4;
}

export function QualityPage(): JSX.Element {
  const days = useAsked((signal) => askAll<QualityDay>("/quality/daily", {}, signal, 60_000), {
    everyMs: 60_000,
    deps: [],
  });
  const dates = Array.from({ length: DAYS }, (_, i) =>
    new Date(Date.now() - (DAYS - 1 - i) * 86_400_000).toISOString().slice(0, 10),
  );
  return (
    <section aria-labelledby="quality-title">
      <h1 id="quality-title">Quality</h1>
      <p class="bar">
        Report:{" "}
        {["markdown", "csv", "json"].map((format) => (
          <a
            key={format}
            class="tab"
            href={pathOf("/quality/report", { format })}
            download={`quality.${format === "markdown" ? "md" : format}`}
          >
            {format}
          </a>
        ))}
      </p>
      <Loaded
        asked={days}
        isEmpty={(value) => value.length === 0}
        empty="Not checked yet: the first check follows the first repairs."
      >
        {(value) => <HeatMap days={value} dates={dates} />}
      </Loaded>
      <p class="legend dim">
        {["99.9 and above", "99", "95", "80", "below 80"].map((words, grade) => (
          <span key={words}>
            <span class={`key grade-${grade}`}>{grade}</span> {words}{" "}
          </span>
        ))}
        <span class="key grade-none">·</span> not checked
      </p>
    </section>
  );
}

function HeatMap({ days, dates }: { days: readonly QualityDay[]; dates: readonly string[] }): JSX.Element {
  const byMarket = new Map<string, Map<string, QualityDay>>();
  for (const day of days) {
    const own = byMarket.get(day.market) ?? new Map<string, QualityDay>();
    own.set(day.date, day);
    byMarket.set(day.market, own);
  }
  return (
    <div class="scroll" tabIndex={0} role="region" aria-label="Heat map">
      <table class="heat">
        <thead>
          <tr>
            <th>Market</th>
            {dates.map((date) => (
              <th key={date} scope="col" title={date}>
                {date.slice(8)}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {[...byMarket].map(([market, own]) => (
            <tr key={market}>
              <th scope="row">
                <a href={marketHref(market)}>{market}</a>
              </th>
              {dates.map((date) => {
                const day = own.get(date);
                const grade = day ? gradeOf(day) : -1;
                const words = day
                  ? `${market}, ${date}: score ${day.score?.toFixed(2) ?? "not checked"}, ${formatPercent(day.covered_percent)} covered, ${formatCount(day.missing_candles)} missing`
                  : `${market}, ${date}: nothing expected`;
                return (
                  <td key={date} class={grade < 0 ? "grade-none" : `grade-${grade}`} title={words}>
                    <a
                      href={marketHref(market, { at: `${date}T12:00:00Z` })}
                      aria-label={grade < 0 ? words : `grade ${grade}: ${words}`}
                    >
                      {grade < 0 ? "·" : grade}
                    </a>
                  </td>
                );
              })}
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
