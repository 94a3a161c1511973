// A connection pool with what every part of the store needs: errors classified and named, and transactions.
import type { Pool, PoolClient } from "pg";
import { databaseError, errorCode } from "./database-error.js";

const DEADLOCK_DETECTED = "40P01";
/** Of two that wait for each other the server ends one; a third time is bad luck, a fourth is a mistake. */
const DEADLOCKS_MAX = 3;

export class Database {
  readonly pool: Pool;

  constructor(pool: Pool) {
    this.pool = pool;
  }

  /**
   * Runs `work`.
   * @param doing for the message: "store 5,000 candles"
   * @throws TickwellError `database`
   */
  async attempt<T>(doing: string, work: (pool: Pool) => Promise<T>): Promise<T> {
    try {
      return await work(this.pool);
    } catch (error) {
      throw databaseError(error, doing);
    }
  }

  /** Runs `work` in one transaction: all of it or nothing. */
  async transaction<T>(doing: string, work: (client: PoolClient) => Promise<T>): Promise<T> {
    return this.attempt(doing, async (pool) => {
      const client = await pool.connect();
      let broken: Error | undefined;
      try {
        await client.query("BEGIN");
        const result = await work(client);
        await client.query("COMMIT");
        return result;
      } catch (error) {
        await client
          .query("ROLLBACK")
          .catch((cause: unknown) => (broken = new Error("connection lost", { cause })));
        throw error;
      } finally {
        client.release(broken);
      }
    });
  }

  /**
   * As {@link transaction}, for work that others may deadlock with, such as TimescaleDB's own jobs: run anew where the server
   * has ended it for that. `work` must leave nothing behind outside the database.
   */
  async transactionAnew<T>(doing: string, work: (client: PoolClient) => Promise<T>): Promise<T> {
    for (let deadlocks = 0; ; deadlocks++) {
      try {
        return await this.transaction(doing, work);
      } catch (error) {
        const { cause } = error as { cause?: unknown };
        if (deadlocks >= DEADLOCKS_MAX || errorCode(cause) !== DEADLOCK_DETECTED) throw error;
      }
    }
  }
}
