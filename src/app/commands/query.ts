// `tickwell query "<sql>"`: one read-only statement on the store.
import type { Command } from "commander";
import type { CommandContext, GlobalOptions } from "../command-context.js";
import { loadSettings, withStore } from "../settings.js";
import { formatTable } from "../table.js";

export function addQueryCommand(program: Command, context: CommandContext): void {
  program
    .command("query")
    .description("run one read-only SQL statement on the store")
    .argument("<sql>", 'the statement, such as "SELECT count(*) FROM ohlcv"')
    .action(async (sql: string, _options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const { instance } = await loadSettings(options);
      await withStore(context, options, { url: instance.storage.url, role: "reader" }, async (store) => {
        const { columns, rows } = await store.query(sql, context.signal);
        if (options.json) {
          context.stdout(`${JSON.stringify({ columns, rows })}\n`);
          return;
        }
        const isNumber = (column: number): boolean =>
          rows.every((row) => row[column] === null || isNumeric(row[column]));
        const titles = columns.map((title, column) => ({
          title,
          align: isNumber(column) ? ("right" as const) : ("left" as const),
        }));
        if (columns.length > 0)
          context.stdout(
            formatTable(
              titles,
              rows.map((row) => row.map(show)),
            ),
          );
        context.stderr(`${rows.length} ${rows.length === 1 ? "row" : "rows"}\n`);
      });
    });
}

function isNumeric(value: unknown): boolean {
  return typeof value === "number" || (typeof value === "string" && /^-?\d+(\.\d+)?$/.test(value));
}

function show(value: unknown): string {
  if (value === null) return "";
  return typeof value === "string" ? value : JSON.stringify(value);
}
