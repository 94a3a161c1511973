// A connection pool with what every part of the store needs: errors classified and named, and transactions.
import type { Pool, PoolClient } from "pg";
import { databaseError } from "./database-error.js";

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
}
