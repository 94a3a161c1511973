// Reads a Dockerfile and says what is wrong with it by rules a linter would know: no engine is needed.
export interface Instruction {
  readonly name: string;
  readonly text: string;
}

export function parseDockerfile(text: string): Instruction[] {
  const joined = text.replace(/^\s*#.*\n/gm, "").replace(/\\\n\s*/g, "");
  return joined
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "")
    .map((line) => ({
      name: (line.split(/\s/, 1)[0] ?? "").toUpperCase(),
      text: line.replace(/^\S+\s*/, ""),
    }));
}

/** The instructions of each stage, its FROM included; what comes before the first is left out. */
export function stagesOf(instructions: readonly Instruction[]): Instruction[][] {
  const stages: Instruction[][] = [];
  for (const each of instructions) {
    if (each.name === "FROM") stages.push([]);
    stages.at(-1)?.push(each);
  }
  return stages;
}

/** One sentence for each mistake. */
export function dockerfileFaults(text: string): string[] {
  const instructions = parseDockerfile(text);
  const stages = stagesOf(instructions);
  const last = stages.at(-1) ?? [];
  const faults: string[] = [];
  const fault = (isOne: boolean, sentence: string): void => void (isOne && faults.push(sentence));
  const args = new Map(
    instructions
      .filter(({ name }) => name === "ARG")
      .map((each) => each.text.split("=", 2) as [string, string]),
  );
  fault(stages.length < 2, "one stage: the build's tools would be in the image");
  for (const [from] of stages) {
    const image = (from?.text.split(" ")[0] ?? "").replace(
      /^\$\{(\w+)\}$/,
      (_, name: string) => args.get(name) ?? "",
    );
    fault(!/:[^:]+$/.test(image) || image.endsWith(":latest"), `${image}: no fixed tag`);
  }
  const users = last.filter(({ name }) => name === "USER");
  const user = users.at(-1)?.text;
  fault(user === undefined || /^(root|0)(:|$)/.test(user), "runs as root");
  fault(!last.some(({ name }) => name === "HEALTHCHECK"), "no health check");
  for (const { name, text: value } of instructions) {
    fault(name === "ADD", "ADD: COPY says what happens");
    fault(name === "MAINTAINER", "MAINTAINER is a thing of the past");
    fault(
      (name === "ENTRYPOINT" || name === "CMD") && !isExecForm(value),
      `${name} by a shell: signals are lost`,
    );
    fault(name === "HEALTHCHECK" && !isExecForm(value.replace(/^.*?CMD\s*/, "")), "HEALTHCHECK by a shell");
    fault(name === "WORKDIR" && !value.startsWith("/"), `WORKDIR ${value}: not absolute`);
    fault(
      (name === "ENV" || name === "ARG") && /(password|token|secret|key)\w*=\S/i.test(value),
      `${name}: a secret`,
    );
    fault(name === "RUN" && /(curl|wget)[^|]*\|\s*(ba)?sh/.test(value), "RUN: runs what it downloads");
    fault(name === "RUN" && /\bsudo\b/.test(value), "RUN: sudo");
    fault(name === "RUN" && /npm (i|install)\b/.test(value), "npm install: npm ci follows the lock file");
    fault(
      name === "RUN" && /apt-get install/.test(value) && !/--no-install-recommends/.test(value),
      "apt-get: recommends",
    );
    fault(name === "COPY" && /--chown=(?!root)/.test(value), "COPY: the program could change itself");
  }
  return faults;
}

function isExecForm(text: string): boolean {
  try {
    const parsed: unknown = JSON.parse(text);
    return Array.isArray(parsed) && parsed.every((each) => typeof each === "string");
  } catch {
    return false;
  }
}
