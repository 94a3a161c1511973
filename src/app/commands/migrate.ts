// `tickwell migrate`: brings the store's schema up to date and says what it is.
import type { Command } from "commander";
import { maskText } from "../../core/mask-text.js";
import { describeCapabilities } from "../../store/capabilities.js";
import type { CommandContext, GlobalOptions } from "../command-context.js";
import { loadSettings, withStore } from "../settings.js";

export function addMigrateCommand(program: Command, context: CommandContext): void {
  program
    .command("migrate")
    .description("bring the database schema up to date (every command does so by itself)")
    .action(async (_options: unknown, command: Command) => {
      const options = command.optsWithGlobals<GlobalOptions>();
      const { instance } = await loadSettings(options);
      await withStore(context, options, { url: instance.storage.url, role: "owner" }, async (store) => {
        const { rows } = await store.query(
          "SELECT name, run_on::timestamptz AS applied_at FROM schema_migrations ORDER BY id",
          context.signal,
        );
        const migrations = rows.map(([name, appliedAt]) => ({ name, applied_at: appliedAt }));
        const beyond = describeCapabilities(store.capabilities);
        if (options.json) {
          const capabilities = beyond.map(({ subject, found }) => ({ subject, found }));
          context.stdout(
            `${JSON.stringify({ server_version: store.serverVersion, migrations, capabilities })}\n`,
          );
          return;
        }
        context.stdout(
          `${maskText(store.connectionString)} (PostgreSQL ${store.serverVersion}) is up to date:\n`,
        );
        for (const migration of migrations) context.stdout(`  ${String(migration.name)}\n`);
        for (const { subject, found } of beyond) context.stdout(`${subject}: ${found}\n`);
      });
    });
}
