// A login that may read and nothing else, for queries on a database where we are the superuser: whatever a statement
// does to its own session, there is no right behind it to gain.
import { escapeIdentifier, escapeLiteral, type ClientBase } from "pg";

export interface ReaderLogin {
  readonly user: string;
  readonly password: string;
}

/** Makes the login, or brings it up to date; safe when two processes do so at once. */
export async function ensureReaderLogin(client: ClientBase, { user, password }: ReaderLogin): Promise<void> {
  const name = escapeIdentifier(user);
  await client.query(
    `DO $$ BEGIN CREATE ROLE ${name} LOGIN; EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$`,
  );
  const { rows } = await client.query<{ is_ready: boolean }>(
    `SELECT has_table_privilege($1, 'ohlcv', 'SELECT') AND rolpassword IS NOT NULL AS is_ready
     FROM pg_authid WHERE rolname = $1`,
    [user],
  );
  if (rows[0]?.is_ready) return;
  await client.query(`ALTER ROLE ${name} PASSWORD ${escapeLiteral(password)}`);
  await client.query(`ALTER ROLE ${name} SET default_transaction_read_only = on`);
  // Our tables, and those of later migrations; not pg_read_all_data, which opens the catalog of passwords too.
  await client.query(`GRANT SELECT ON ALL TABLES IN SCHEMA public TO ${name}`);
  await client.query(`ALTER DEFAULT PRIVILEGES IN SCHEMA public GRANT SELECT ON TABLES TO ${name}`);
}
