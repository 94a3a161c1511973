// The frame around every page: where one is, whether the connection holds, and whether the data is real.
import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";
import { ask, type Status } from "./api.js";
import { useAddress, useAsked, useStream, useStreamState } from "./hooks.js";
import { Badge } from "./parts/common.js";
import { GapsPage } from "./pages/gaps.js";
import { MarketPage } from "./pages/market.js";
import { Overview } from "./pages/overview.js";
import { QualityPage } from "./pages/quality.js";
import { Repairs } from "./pages/repairs.js";
import { System } from "./pages/system.js";

const PAGES = [
  ["", "Overview"],
  ["gaps", "Gaps"],
  ["repairs", "Repairs"],
  ["quality", "Quality"],
  ["system", "System"],
] as const;
const THEMES = ["auto", "light", "dark"] as const;
type Theme = (typeof THEMES)[number];
const THEME_KEY = "tickwell.theme";

function storedTheme(): Theme {
  return THEMES.find((each) => each === localStorage.getItem(THEME_KEY)) ?? "auto";
}

export function App(): JSX.Element {
  const { path } = useAddress();
  const [page = "", name = ""] = path;
  const asked = useAsked((signal) => ask<Status>("/status", {}, { signal }), { everyMs: 10_000, deps: [] });
  const [streamed, setStreamed] = useState<Status>();
  useStream("status", ["*"], (message) => {
    if (message.type === "status") setStreamed(message.status);
  });
  const status = streamed ?? asked.value;
  const connection = useStreamState();
  const title = page === "market" ? name : (PAGES.find(([key]) => key === page)?.[1] ?? "Overview");
  useEffect(() => {
    document.title = `${title} · tickwell`;
  }, [title]);
  return (
    <>
      <a class="skip" href="#main">
        Skip to the page
      </a>
      {status?.is_simulated && (
        <p class="banner" role="note">
          Simulated data: no market of the world is like this.
        </p>
      )}
      <header>
        <a class="brand" href="#/">
          tickwell
        </a>
        <nav aria-label="Pages">
          {PAGES.map(([key, words]) => (
            <a
              key={key}
              href={`#/${key}`}
              aria-current={key === page || (key === "" && page === "market") ? "page" : undefined}
            >
              {words}
            </a>
          ))}
        </nav>
        <span class="grow" />
        <span role="status">
          {connection === "open" ? (
            <Badge state="good">live</Badge>
          ) : connection === "connecting" ? (
            <Badge state="busy">connecting</Badge>
          ) : (
            <Badge state="bad">connection lost, trying again; figures are old</Badge>
          )}
        </span>
        <ThemeSwitch />
      </header>
      <main id="main" tabIndex={-1}>
        {page === "market" ? (
          <MarketPage key={name} name={name} />
        ) : page === "gaps" ? (
          <GapsPage status={status} />
        ) : page === "repairs" ? (
          <Repairs status={status} />
        ) : page === "quality" ? (
          <QualityPage />
        ) : page === "system" ? (
          <System status={status} />
        ) : (
          <Overview status={status} />
        )}
      </main>
      <footer class="dim">
        Times are UTC, local on hover. Charts by{" "}
        <a href="https://www.tradingview.com/" rel="noreferrer">
          TradingView Lightweight Charts
        </a>
        . <a href="api/v1/openapi.json">API</a>
      </footer>
    </>
  );
}

function ThemeSwitch(): JSX.Element {
  const [theme, setTheme] = useState<Theme>(storedTheme);
  useEffect(() => {
    if (theme === "auto") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme;
    localStorage.setItem(THEME_KEY, theme);
  }, [theme]);
  return (
    <label>
      <span class="hidden">Colours</span>
      <select
        value={theme}
        onChange={(event) => setTheme(THEMES.find((each) => each === event.currentTarget.value) ?? "auto")}
      >
        {THEMES.map((each) => (
          <option key={each} value={each}>
            {each}
          </option>
        ))}
      </select>
    </label>
  );
}
