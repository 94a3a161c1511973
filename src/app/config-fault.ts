// What is wrong with a config file, and where: collected from all files, thrown as one error.
import { TickwellError } from "../core/fault.js";

/** A way from a file's root to a value: keys of maps and indexes of lists. */
export type KeyPath = readonly (string | number)[];

/** One mistake. Lines and columns start at 1; undefined where the fault is the file's as a whole. */
export interface ConfigFault {
  readonly file: string;
  readonly line: number | undefined;
  readonly column: number | undefined;
  /** `symbols[0].timeframes[1]`; empty for the file as a whole. */
  readonly key: string;
  readonly message: string;
}

/** `symbols[0].timeframes[1]` */
export function formatKeyPath(path: KeyPath): string {
  return path
    .map((part, at) => (typeof part === "number" ? `[${part}]` : at === 0 ? part : `.${part}`))
    .join("");
}

/** `configs/collector/x.yml:12:3 exchange.rest_ulr: unknown key …` */
export function formatConfigFault({ file, line, column, key, message }: ConfigFault): string {
  const position = line === undefined ? "" : `:${line}:${column ?? 1}`;
  return `${file}${position}${key === "" ? "" : ` ${key}`}: ${message}`;
}

/** All faults as one error, in the order of the files and their lines. */
export function configError(faults: readonly ConfigFault[]): TickwellError {
  const lines = faults.map((fault) => `\n  ${formatConfigFault(fault)}`);
  const count = faults.length === 1 ? "1 mistake" : `${faults.length} mistakes`;
  return new TickwellError({ kind: "config" }, `the configuration has ${count}:${lines.join("")}`);
}
