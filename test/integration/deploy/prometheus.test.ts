// A real Prometheus, with the shipped configuration but for its addresses, scrapes the running program; every expression of the
// rules and of the dashboard is asked of it.
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { metricsIn } from "../../support/metric-names.js";
import { REPOSITORY } from "../../support/repository.js";
import { hasProgram } from "../../support/prometheus.js";
import { startInstance, type RunningInstance } from "../../support/running-instance.js";
import {
  startPrometheus,
  type QueryResult,
  type RunningPrometheus,
} from "../../support/running-prometheus.js";
import { until } from "../../support/until.js";

interface Panel {
  readonly id: number;
  readonly type: string;
  readonly title: string;
  readonly gridPos: { readonly x: number; readonly y: number; readonly w: number; readonly h: number };
  readonly datasource?: { readonly uid: string };
  readonly targets?: readonly { readonly expr: string; readonly datasource: { readonly uid: string } }[];
}
interface Dashboard {
  readonly uid: string;
  readonly panels: readonly Panel[];
  readonly templating: { readonly list: readonly { readonly name: string; readonly definition?: string }[] };
}
interface Rule {
  readonly record?: string;
  readonly alert?: string;
  readonly expr: string;
}

const read = (file: string): string => readFileSync(join(REPOSITORY, "deploy", file), "utf8");
const dashboard = JSON.parse(read("grafana/dashboards/tickwell.json")) as Dashboard;
const rules = (parse(read("prometheus/rules.yml")) as { groups: { rules: Rule[] }[] }).groups.flatMap(
  (group) => group.rules,
);
const expressions = [
  ...dashboard.panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => ({ where: title, expr })),
  ),
  ...rules.map(({ alert, record, expr }) => ({ where: alert ?? record ?? "", expr })),
];
/** As Grafana fills them in when everything is chosen. */
const asked = (expr: string): string =>
  expr.replaceAll("$__rate_interval", "1m").replaceAll(/\$(job|instance|exchange)\b/g, ".*");

let instance: RunningInstance;
let exporter: Server;
let prometheus: RunningPrometheus | undefined;
let text: string;

const query = (expr: string): Promise<readonly QueryResult[]> => {
  if (!prometheus) throw new Error("there is no Prometheus");
  return prometheus.query(expr);
};

const TOKEN = "0123456789abcdef0123";
const hasPrometheus = hasProgram("prometheus");

beforeAll(async () => {
  instance = await startInstance({ seed: 1, dataDir: tmpdir() });
  const { metrics } = instance.runtime;
  exporter = createServer((request, response) => {
    if (request.url !== "/metrics" || request.headers.authorization !== `Bearer ${TOKEN}`) {
      response.writeHead(401).end();
      return;
    }
    void metrics
      .text()
      .then((body) => response.writeHead(200, { "content-type": metrics.contentType }).end(body));
  });
  await new Promise<void>((resolve) => exporter.listen(0, "127.0.0.1", resolve));
  const { port } = exporter.address() as AddressInfo;
  await until(async () => {
    await instance.runtime.look();
    text = await metrics.text();
    return text.includes("tickwell_commit_lag_seconds_count");
  });
  if (!hasPrometheus) return;
  prometheus = await startPrometheus({ target: `127.0.0.1:${port}`, token: TOKEN });
  // Rates need two scrapes and some time between them.
  await until(async () => (await query('rate(process_cpu_seconds_total{job="tickwell"}[1m])')).length > 0);
});

afterAll(async () => {
  await prometheus?.close();
  exporter.closeAllConnections();
  await new Promise<void>((resolve) => exporter.close(() => resolve()));
  await instance.close();
});

describe("dashboard and rules", () => {
  it("ask only for metrics the program has", () => {
    const exposed = new Set([...text.matchAll(/^# TYPE (\S+) /gm)].map(([, name]) => name));
    for (const { where, expr } of expressions) {
      const names = metricsIn(expr);
      const recorded = rules.flatMap(({ record }) => record ?? []).filter((each) => expr.includes(each));
      expect(
        names.length + recorded.length + (expr.includes("up{") ? 1 : 0),
        `${where}: ${expr}`,
      ).toBeGreaterThan(0);
      for (const name of names) expect([...exposed], `${where}: ${expr}`).toContain(name);
    }
    for (const { definition = "" } of dashboard.templating.list)
      for (const name of metricsIn(definition)) expect([...exposed]).toContain(name);
  });

  it("show every metric of the program's own, or are there for its labels", () => {
    const shown = new Set(expressions.flatMap(({ expr }) => metricsIn(expr)));
    const exposed = [...text.matchAll(/^# TYPE (tickwell_\S+) /gm)].map(([, name = ""]) => name);
    const forOthers = ["tickwell_build_info", "tickwell_figures_duration_seconds", "tickwell_series"];
    expect(exposed.filter((name) => !shown.has(name) && !forOthers.includes(name))).toEqual([]);
  });

  it("have panels with numbers of their own, beside each other, on the chosen data source", () => {
    const { panels } = dashboard;
    expect(new Set(panels.map(({ id }) => id)).size).toBe(panels.length);
    for (const [i, { gridPos: a, type, title, datasource, targets = [] }] of panels.entries()) {
      expect(a.x + a.w, title).toBeLessThanOrEqual(24);
      if (type === "row") continue;
      expect(
        [datasource, ...targets.map((each) => each.datasource)].every(
          (each) => each?.uid === "${datasource}",
        ),
      ).toBe(true);
      for (const { gridPos: b, title: other } of panels.slice(i + 1)) {
        const overlap = a.x < b.x + b.w && b.x < a.x + a.w && a.y < b.y + b.h && b.y < a.y + a.h;
        expect(overlap, `${title} and ${other}`).toBe(false);
      }
    }
  });
});

describe.skipIf(!hasPrometheus)("a real Prometheus", () => {
  it("scrapes the running program with its token", async () => {
    expect(await query('up{job="tickwell"}')).toMatchObject([{ value: [expect.any(Number), "1"] }]);
    const [trades] = await query('tickwell_records_committed_total{data_type="trades"}');
    expect(Number(trades?.value[1])).toBeGreaterThan(0);
    const targets = (await (await fetch(`${prometheus?.url}/api/v1/targets`)).json()) as {
      data: { activeTargets: { lastError: string; labels: { job: string } }[] };
    };
    expect(targets.data.activeTargets.find(({ labels }) => labels.job === "tickwell")?.lastError).toBe("");
  });

  it.each(expressions)("can answer $where: $expr", async ({ expr }) => {
    await expect(query(asked(expr))).resolves.toBeInstanceOf(Array);
  });

  it("finds data for every panel about what has happened", async () => {
    // Nothing has failed, been refused or been checked for its quality, and no alert has a number but 0.
    const quiet = /Scores|score|Failed requests|went wrong|Refused|miss the most/;
    for (const { title, targets = [] } of dashboard.panels) {
      if (targets.length === 0 || quiet.test(title)) continue;
      const [first] = targets;
      if (first) await until(async () => (await query(asked(first.expr))).length > 0, { what: () => title });
    }
  });

  it("evaluates the rules without an error, and nothing is wrong with a program that is well", async () => {
    const answer = async (): Promise<{ name: string; health: string; lastError?: string }[]> => {
      const response = await fetch(`${prometheus?.url}/api/v1/rules`);
      const { data } = (await response.json()) as {
        data: { groups: { rules: { name: string; health: string; lastError?: string }[] }[] };
      };
      return data.groups.flatMap((group) => group.rules);
    };
    await until(async () => (await answer()).every(({ health }) => health !== "unknown"));
    expect((await answer()).filter(({ health }) => health !== "ok")).toEqual([]);
    const critical = await query('ALERTS{alertstate="firing", severity="critical", alertname!~".*Disk.*"}');
    expect(critical).toEqual([]);
  });
});
