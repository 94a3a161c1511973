// The files of deploy/, as far as they can be checked without the servers they are for.
import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { Ajv } from "ajv";
import { describe, expect, it } from "vitest";
import { parse } from "yaml";
import { loadConfig } from "../../../src/app/config-file.js";
import { dockerfileFaults, parseDockerfile, stagesOf } from "../../support/dockerfile.js";
import { REPOSITORY } from "../../support/repository.js";
import { hasProgram, promtool } from "../../support/prometheus.js";
import { newWorkFolder } from "../../support/work-folder.js";

const deploy = (file: string): string => join(REPOSITORY, "deploy", file);
const read = (file: string): string => readFileSync(deploy(file), "utf8");

interface Service {
  readonly image: string;
  readonly build?: { readonly context: string; readonly dockerfile: string };
  readonly restart?: string;
  readonly read_only?: boolean;
  readonly cap_drop?: readonly string[];
  readonly security_opt?: readonly string[];
  readonly logging?: unknown;
  readonly healthcheck?: { readonly test: readonly string[] };
  readonly ports?: readonly string[];
  readonly volumes?: readonly string[];
  readonly environment?: Readonly<Record<string, string>>;
  readonly networks: readonly string[];
  readonly depends_on?: Readonly<Record<string, unknown>>;
}
interface Compose {
  readonly services: Readonly<Record<string, Service>>;
  readonly volumes: Readonly<Record<string, unknown>>;
  readonly networks: Readonly<Record<string, { readonly internal?: boolean } | null>>;
}

const composeText = read("compose.yml");
const compose = parse(composeText, { merge: true }) as Compose;
const services = Object.entries(compose.services);
/** `NAME=value` of .env.example. */
const example = new Map(
  read(".env.example")
    .split("\n")
    .filter((line) => /^[A-Z_]+=/.test(line))
    .map((line) => line.split("=", 2) as [string, string]),
);

describe("compose.yml", () => {
  it("is a Compose file by the specification's own schema", () => {
    const file = new URL("../../fixtures/compose/compose-spec.json", import.meta.url);
    const { $schema, ...schema } = JSON.parse(readFileSync(file, "utf8")) as Record<string, unknown>;
    expect($schema).toContain("draft-07");
    const validate = new Ajv({ strict: false, validateFormats: false }).compile(schema);
    expect(validate(compose), JSON.stringify(validate.errors)).toBe(true);
    // The schema is not one that lets everything through.
    expect(validate({ ...compose, services: { tickwell: { imagee: "x" } } })).toBe(false);
  });

  it("runs tickwell with TimescaleDB, Redis, Prometheus and Grafana", () => {
    expect(Object.keys(compose.services).sort()).toEqual([
      "grafana",
      "prometheus",
      "redis",
      "tickwell",
      "timescaledb",
    ]);
  });

  it.each(services)(
    "%s restarts, is looked after, gains no privileges and keeps its log bounded",
    (name, service) => {
      expect(service.restart).toBe("unless-stopped");
      expect(service.security_opt).toEqual(["no-new-privileges:true"]);
      expect(service.logging).toMatchObject({ options: { "max-size": "10m", "max-file": "5" } });
      const hasOwn =
        name === "tickwell" &&
        parseDockerfile(read("Dockerfile")).some((each) => each.name === "HEALTHCHECK");
      expect(hasOwn || service.healthcheck?.test[0] === "CMD").toBe(true);
      const [, tag] = /:(?:\$\{\w+:-)?([^}]*)\}?$/.exec(service.image) ?? [];
      if (!service.build) expect(tag, service.image).toMatch(/\d/);
    },
  );

  it("lets tickwell write nowhere but to its data", () => {
    const { tickwell } = compose.services;
    expect(tickwell?.read_only).toBe(true);
    expect(tickwell?.cap_drop).toEqual(["ALL"]);
    expect(tickwell?.volumes).toEqual(["./config:/etc/tickwell:ro", "tickwell-data:/var/lib/tickwell"]);
  });

  it("publishes on loopback alone, and neither database nor Redis", () => {
    const published = services.filter(([, { ports = [] }]) => ports.length > 0);
    expect(published.map(([name]) => name).sort()).toEqual(["grafana", "tickwell"]);
    for (const [, { ports = [] }] of published)
      for (const port of ports) expect(port).toMatch(/^127\.0\.0\.1:/);
    expect(compose.networks.store?.internal).toBe(true);
    for (const name of ["timescaledb", "redis"]) expect(compose.services[name]?.networks).toEqual(["store"]);
  });

  it("has no default password: every secret is asked for, and left empty in the example", () => {
    const asked = [...composeText.matchAll(/\$\{(\w+):\?/g)].map(([, name = ""]) => name);
    expect([...new Set(asked)].sort()).toEqual([
      "GRAFANA_ADMIN_PASSWORD",
      "POSTGRES_PASSWORD",
      "TICKWELL_API_TOKEN",
    ]);
    for (const name of asked) expect(example.get(name)).toBe("");
    expect(composeText).not.toMatch(/\$\{\w*(PASSWORD|TOKEN|SECRET)\w*:?-/);
    for (const [, { environment = {} }] of services)
      for (const [key, value] of Object.entries(environment))
        if (/PASSWORD|TOKEN|SECRET/.test(key)) expect(value).toMatch(/^\$\{\w+:\?/);
  });

  it("uses no variable that the example does not explain, but tags of images", () => {
    const used = new Set([...composeText.matchAll(/\$\{(\w+)/g)].map(([, name = ""]) => name));
    for (const name of used) if (!name.endsWith("_TAG")) expect([...example.keys()]).toContain(name);
    for (const name of example.keys()) expect([...used]).toContain(name);
  });

  it("mounts files that are there, and only volumes it names", () => {
    const mounted = services.flatMap(([, { volumes = [] }]) => volumes.map((volume) => volume.split(":")));
    for (const [source = "", , mode] of mounted) {
      if (!source.startsWith(".")) expect(Object.keys(compose.volumes)).toContain(source);
      else {
        expect(existsSync(deploy(source)), source).toBe(true);
        expect(mode).toBe("ro");
      }
    }
    expect(
      mounted
        .map(([source]) => source)
        .filter((source) => !source?.startsWith("."))
        .sort(),
    ).toEqual(Object.keys(compose.volumes).sort());
  });

  it("gives tickwell every variable its configuration asks for, and that configuration is right", async () => {
    const environment = compose.services.tickwell?.environment ?? {};
    const secret = "0123456789abcdef0123";
    const env = Object.fromEntries(
      Object.entries(environment).map(([key, value]) => [
        key,
        value.replace(/\$\{\w+:[?][^}]*\}/g, secret).replace(/\$\{\w+:-([^}]*)\}/g, "$1"),
      ]),
    );
    const { instance, collectors } = await loadConfig(deploy("config"), { env });
    expect(instance.storage.url).toBe(`postgres://tickwell:${secret}@timescaledb:5432/tickwell`);
    expect(instance.stage).toMatchObject({ kind: "redis", url: "redis://redis:6379" });
    expect(instance.api).toEqual({ host: "0.0.0.0", port: 7377, token: secret });
    expect(instance.alerts.webhookUrl).toBeUndefined();
    expect(collectors).toHaveLength(1);
    const withHook = await loadConfig(deploy("config"), {
      env: { ...env, TICKWELL_WEBHOOK_URL: "https://h.example/x" },
    });
    expect(withHook.instance.alerts.webhookUrl).toBe("https://h.example/x");
  });
});

describe("Dockerfile", () => {
  const text = read("Dockerfile");
  const instructions = parseDockerfile(text);
  const final = stagesOf(instructions).at(-1) ?? [];

  it("breaks no rule", () => expect(dockerfileFaults(text)).toEqual([]));

  it.each([
    ["USER node", "USER root", "runs as root"],
    ["node:24-bookworm-slim", "node:latest", "node:latest: no fixed tag"],
    ["npm ci", "npm install", "npm install: npm ci follows the lock file"],
    ['CMD ["start"]', "CMD tickwell start", "CMD by a shell: signals are lost"],
    ["ENV NODE_ENV=production", "ENV API_TOKEN=hush", "ENV: a secret"],
  ])("would be told of %s becoming %s", (right, wrong, sentence) => {
    expect(text).toContain(right);
    expect(dockerfileFaults(text.replaceAll(right, wrong))).toContain(sentence);
  });

  it("copies all the package needs to run, from what the build context lets through", () => {
    const { files } = JSON.parse(readFileSync(join(REPOSITORY, "package.json"), "utf8")) as {
      files: string[];
    };
    const copied = final
      .filter(({ name }) => name === "COPY")
      .flatMap((each) => each.text.split(" ").filter((word) => word.startsWith("/build/")))
      .map((path) => path.slice("/build/".length));
    const forPeople = ["deploy", "docs", "README.md", "CHANGELOG.md"];
    const needed = files.filter((file) => !forPeople.includes(file) && !/README/.test(file));
    expect(copied).toEqual(expect.arrayContaining([...needed, "package.json", "node_modules"]));
    const letThrough = read("Dockerfile.dockerignore")
      .split("\n")
      .filter((line) => line.startsWith("!"))
      .map((line) => line.slice(1));
    const made = ["node_modules", "dist"];
    for (const source of copied) if (!made.includes(source)) expect(letThrough).toContain(source);
    const { include } = JSON.parse(readFileSync(join(REPOSITORY, "tsconfig.build.json"), "utf8")) as {
      include: string[];
    };
    expect(letThrough).toEqual(expect.arrayContaining([...include, "tsconfig.json", "tsconfig.build.json"]));
  });

  it("listens, writes and is asked for its health where compose.yml and the configuration say", () => {
    const textOf = (name: string): string => final.find((each) => each.name === name)?.text ?? "";
    expect(textOf("EXPOSE")).toBe("7377");
    expect(textOf("VOLUME")).toBe("/var/lib/tickwell");
    expect(textOf("HEALTHCHECK")).toContain("http://127.0.0.1:7377/healthz");
    expect(JSON.parse(textOf("ENTRYPOINT"))).toEqual([
      ...["node", "/app/bin/tickwell.js", "-c", "/etc/tickwell", "--data-dir", "/var/lib/tickwell"],
    ]);
  });
});

describe.skipIf(!hasProgram("promtool"))("Prometheus' files", () => {
  it("pass promtool check rules", () => {
    const { status, output } = promtool(["check", "rules", deploy("prometheus/rules.yml")]);
    expect(status, output).toBe(0);
    expect(output).toMatch(/SUCCESS: \d+ rules found/);
  });

  it("pass promtool test rules: alerts fire when they should, not before, and end", () => {
    const { status, output } = promtool(["test", "rules", deploy("prometheus/rules.test.yml")]);
    expect(status, output).toBe(0);
  });

  it("pass promtool check config", () => {
    const { status, output } = promtool([
      "check",
      "config",
      "--syntax-only",
      deploy("prometheus/prometheus.yml"),
    ]);
    expect(status, output).toBe(0);
  });
});

describe("tickwell.service", () => {
  const has = spawnSync("systemd-analyze", ["--version"]).error === undefined;
  if (!has) process.stderr.write("SKIPPED: systemd-analyze is not installed\n");
  const copy = async (): Promise<string> => {
    const folder = await newWorkFolder();
    const file = join(folder.path, "tickwell.service");
    // What it starts has to be there to be verified.
    await writeFile(
      file,
      read("systemd/tickwell.service").replace("/usr/local/bin/tickwell", process.execPath),
    );
    return file;
  };

  it.skipIf(!has)("passes systemd-analyze verify without a word", async () => {
    const { stdout, stderr, status } = spawnSync("systemd-analyze", ["verify", await copy()], {
      encoding: "utf8",
    });
    expect({ stdout, stderr, status }).toEqual({ stdout: "", stderr: "", status: 0 });
  });

  it.skipIf(!has)("is exposed little: below 2 of 10 by systemd-analyze security", async () => {
    const { stdout } = spawnSync(
      "systemd-analyze",
      ["security", "--offline=true", "--no-pager", await copy()],
      {
        encoding: "utf8",
      },
    );
    const [, level] = /Overall exposure level for [^:]*: (\d+\.\d+)/.exec(stdout) ?? [];
    expect(Number(level)).toBeLessThan(2);
  });

  it("has no secrets of its own: it reads what the command line reads, .env beside the configuration", () => {
    const text = read("systemd/tickwell.service");
    expect(text).toMatch(/^ExecStart=\S+ -c \/etc\/tickwell --data-dir \/var\/lib\/tickwell start$/m);
    expect(text).not.toMatch(/^EnvironmentFile=/m);
  });

  it("starts again after a crash, not after a mistake in the configuration", () => {
    const text = read("systemd/tickwell.service");
    expect(text).toMatch(/^Restart=on-failure$/m);
    // The exit status of a bad config.
    expect(text).toMatch(/^RestartPreventExitStatus=2$/m);
  });
});
