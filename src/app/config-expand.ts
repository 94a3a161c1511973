// `${VAR}` and `${VAR:default}` in a text. Values are put in as they are: a `${` inside a value or a default is not
// expanded again.

/** The variables a text may refer to. */
export type Environment = Readonly<Record<string, string | undefined>>;

/** A text with its variables put in, or what keeps them from being put in. */
export type Expansion =
  { readonly ok: true; readonly text: string } | { readonly ok: false; readonly problems: readonly string[] };

/** `$${`, a whole `${…}`, or a `${` that is never closed; in this order, so that an escape wins. */
const REFERENCE = /\$\$\{|\$\{([^}]*)\}|\$\{/g;
const NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** True when {@link expandVariables} would change the text, or refuse it. */
export function hasVariables(text: string): boolean {
  return text.includes("${");
}

/**
 * Puts variables in: `${VAR}` must be set; `${VAR:default}` falls back to everything up to the closing brace, which may
 * be nothing; `$${` becomes `${`. A variable that is set but empty counts as set.
 */
export function expandVariables(text: string, environment: Environment): Expansion {
  const problems: string[] = [];
  const expanded = text.replace(REFERENCE, (reference: string, body: string | undefined) => {
    if (reference === "$${") return "${";
    if (body === undefined) {
      problems.push("`${` without its `}`: close it, or write `$${` for the characters themselves");
      return reference;
    }
    const colon = body.indexOf(":");
    const name = colon === -1 ? body : body.slice(0, colon);
    if (!NAME.test(name)) {
      problems.push(
        "`${` must be followed by a variable's name (letters, digits, _): write ${VAR} or ${VAR:default}, or `$${` for the characters themselves",
      );
      return reference;
    }
    // Object.hasOwn: `${constructor}` is not a variable.
    const value = Object.hasOwn(environment, name) ? environment[name] : undefined;
    if (value !== undefined) return value;
    if (colon !== -1) return body.slice(colon + 1);
    problems.push(
      `the environment variable ${name} is not set: set it (a .env file beside the configs will do), or give a default: \${${name}:default}`,
    );
    return reference;
  });
  return problems.length === 0
    ? { ok: true, text: expanded }
    : { ok: false, problems: [...new Set(problems)] };
}
