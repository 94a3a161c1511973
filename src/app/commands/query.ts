// `tickwell query "<sql>"`: one read-only statement on the store.
import type { Command } from "commander";
import type { QueryResult } from "../../store/store.js";
import type { CommandContext, GlobalOptions } from "../command-context.js";
import { loadSettings, withStore } from "../settings.js";
import { formatCount, TablePages } from "../table.js";

export function addQueryCommand(program: Command, context: CommandContext): void {
  program
    .command("query")
    .description("run one read-only SQL statement on the store")
    .argument("<sql>", 'the statement, such as "SELECT count(*) FROM ohlcv"')
    .action(async (sql: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const { instance } = await loadSettings(options);
      const { signal, stdout, stderr } = context;
      const print = options.json ? jsonPrinter(stdout) : tablePrinter(stdout);
      let count = 0;
      const url = instance.storage.url;
      await withStore(context, options, { url, role: "reader" }, (store) =>
        store.queryPages(sql, signal, (page) => {
          count += page.rows.length;
          print.add(page);
        }),
      ).catch((error: unknown) => {
        if (!signal.aborted) throw error;
        stderr(`Stopped after ${formatCount(count)} rows; there may be more.\n`);
        throw signal.reason;
      });
      print.end();
      if (!options.json) stderr(`${formatCount(count)} ${count === 1 ? "row" : "rows"}\n`);
    });
}

interface Printer {
  readonly add: (page: QueryResult) => void;
  readonly end: () => void;
}

/** `{"columns":[…],"rows":[…]}`, written as it comes. */
function jsonPrinter(stdout: (text: string) => void): Printer {
  let hasRows = false;
  let isBegun = false;
  return {
    add: ({ columns, rows }) => {
      if (!isBegun) stdout(`{"columns":${JSON.stringify(columns)},"rows":[`);
      isBegun = true;
      if (rows.length === 0) return;
      stdout((hasRows ? "," : "") + rows.map((row) => JSON.stringify(row)).join(","));
      hasRows = true;
    },
    end: () => stdout("]}\n"),
  };
}

/** Columns of numbers stand to the right; the first page decides which they are. */
function tablePrinter(stdout: (text: string) => void): Printer {
  let table: TablePages | undefined;
  return {
    add: ({ columns, rows }) => {
      if (columns.length === 0) return;
      const isNumber = (column: number): boolean =>
        rows.every((row) => row[column] === null || isNumeric(row[column]));
      table ??= new TablePages(
        columns.map((title, column) => ({ title, align: isNumber(column) ? "right" : "left" })),
      );
      const text = table.add(rows.map((row) => row.map(show)));
      if (text !== "") stdout(text);
    },
    end: () => undefined,
  };
}

function isNumeric(value: unknown): boolean {
  return typeof value === "number" || (typeof value === "string" && /^-?\d+(\.\d+)?$/.test(value));
}

function show(value: unknown): string {
  if (value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}
