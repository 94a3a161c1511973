// The log of failed requests: rows in, and a summary by exchange, endpoint and class out.
import type { FaultKind } from "../core/fault.js";
import { formatTime } from "../core/time.js";
import type { Database } from "./database.js";
import { storableText } from "./storable-text.js";

/** A failed request as it is kept: secrets already removed. */
export interface ErrorRecord {
  readonly atMs: number;
  readonly exchange: string;
  readonly endpoint: string;
  /** Undefined where the endpoint is not about one market. */
  readonly nativeSymbol: string | undefined;
  readonly kind: FaultKind;
  /** The exchange's code or the HTTP status, where there is one. */
  readonly code: string | undefined;
  readonly message: string;
  readonly params: Readonly<Record<string, string>>;
  /** Counted from 1. */
  readonly attempt: number;
  /** Above 0: the record stands for so many failures that were not written one by one. */
  readonly suppressed: number;
}

/** The failures of one exchange, endpoint and class. */
export interface ErrorSummary {
  readonly exchange: string;
  readonly endpoint: string;
  readonly kind: FaultKind;
  readonly count: number;
  readonly lastMs: number;
  readonly lastMessage: string;
  /** The newest code there was. */
  readonly code: string | undefined;
  /** Unified symbols where they are known, native ones elsewhere, in alphabetical order. */
  readonly symbols: readonly string[];
}

/** All methods reject with a TickwellError of kind `database`. */
export interface ErrorRecords {
  add(records: readonly ErrorRecord[]): Promise<void>;
  /** Failures at or after `sinceMs`, the most frequent first. */
  summarize(options: { readonly sinceMs: number }): Promise<ErrorSummary[]>;
}

export class PostgresErrorRecords implements ErrorRecords {
  readonly #database: Database;

  constructor(database: Database) {
    this.#database = database;
  }

  add(records: readonly ErrorRecord[]): Promise<void> {
    return this.#database.attempt("log failed requests", async (pool) => {
      await pool.query(
        `INSERT INTO api_error_logs
           ("timestamp", exchange_name, endpoint, native_symbol, error_type, error_code, error_message, request_params, attempt, suppressed)
         SELECT * FROM unnest($1::timestamptz[], $2::text[], $3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::jsonb[], $9::int[], $10::bigint[])`,
        [
          records.map((record) => formatTime(record.atMs)),
          records.map((record) => storableText(record.exchange)),
          records.map((record) => storableText(record.endpoint)),
          records.map((record) => textOrNull(record.nativeSymbol)),
          records.map((record) => record.kind),
          records.map((record) => textOrNull(record.code)),
          records.map((record) => storableText(record.message)),
          records.map((record) => storableJson(record.params)),
          records.map((record) => record.attempt),
          records.map((record) => record.suppressed),
        ],
      );
    });
  }

  summarize({ sinceMs }: { readonly sinceMs: number }): Promise<ErrorSummary[]> {
    return this.#database.attempt("read failed requests", async (pool) => {
      const { rows } = await pool.query<SummaryRow>(
        `WITH recent AS (
           SELECT l.*, coalesce(m.symbol, l.native_symbol) AS symbol
           FROM api_error_logs l
           LEFT JOIN exchanges e ON e.name = l.exchange_name
           LEFT JOIN LATERAL (
             SELECT symbol FROM markets WHERE exchange_id = e.id AND native_symbol = l.native_symbol ORDER BY id LIMIT 1
           ) m ON true
           WHERE l."timestamp" >= $1
         ), last AS (
           SELECT DISTINCT ON (exchange_name, endpoint, error_type) exchange_name, endpoint, error_type, error_message
           FROM recent ORDER BY exchange_name, endpoint, error_type, suppressed > 0, "timestamp" DESC, id DESC
         ), coded AS (
           SELECT DISTINCT ON (exchange_name, endpoint, error_type) exchange_name, endpoint, error_type, error_code
           FROM recent WHERE error_code IS NOT NULL
           ORDER BY exchange_name, endpoint, error_type, "timestamp" DESC, id DESC
         )
         SELECT exchange_name, endpoint, error_type, sum(greatest(suppressed, 1))::bigint AS count,
                max("timestamp") AS last_at, last.error_message AS last_message, coded.error_code AS code,
                coalesce(array_agg(DISTINCT symbol) FILTER (WHERE symbol IS NOT NULL), '{}') AS symbols
         FROM recent JOIN last USING (exchange_name, endpoint, error_type)
         LEFT JOIN coded USING (exchange_name, endpoint, error_type)
         GROUP BY exchange_name, endpoint, error_type, last.error_message, coded.error_code
         ORDER BY count DESC, last_at DESC, exchange_name, endpoint, error_type`,
        [formatTime(sinceMs)],
      );
      return rows.map((row) => ({
        exchange: row.exchange_name,
        endpoint: row.endpoint,
        kind: row.error_type,
        count: row.count,
        lastMs: row.last_at,
        lastMessage: row.last_message,
        code: row.code ?? undefined,
        symbols: row.symbols,
      }));
    });
  }
}

interface SummaryRow {
  readonly exchange_name: string;
  readonly endpoint: string;
  readonly error_type: FaultKind;
  readonly count: number;
  readonly last_at: number;
  readonly last_message: string;
  readonly code: string | null;
  readonly symbols: readonly string[];
}

function textOrNull(text: string | undefined): string | null {
  return text === undefined ? null : storableText(text);
}

/** Cleaned before it becomes JSON: there, a NUL is an escape that only jsonb itself would refuse. */
function storableJson(params: Readonly<Record<string, string>>): string {
  const entries = Object.entries(params).map(([name, value]) => [storableText(name), storableText(value)]);
  return JSON.stringify(Object.fromEntries(entries));
}
