import pg from 'pg';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import { type PostgresService, startPostgres } from '../services/index.js';

/** A Postgres for the tests around. */
export class TestPostgres {
  #service: PostgresService | undefined;
  #client: pg.Client | undefined;

  /** @param clean statements before each test */
  constructor(clean: string) {
    beforeAll(async () => {
      this.#service = await startPostgres();
      this.#client = new pg.Client(this.#service.url);
      await this.#client.connect();
    });
    afterAll(async () => {
      await this.#client?.end();
      await this.#service?.stop();
    });
    beforeEach(() => this.client.query(clean));
  }

  get client(): pg.Client {
    if (this.#client === undefined) throw new Error('it runs in tests only');
    return this.#client;
  }

  get service(): PostgresService {
    if (this.#service === undefined) throw new Error('it runs in tests only');
    return this.#service;
  }

  get url(): string {
    return this.service.url;
  }

  /** The rows of a statement, each the list of its values. */
  async rows(statement: string): Promise<unknown[]> {
    const { rows } = await this.client.query<Record<string, unknown>>(statement);
    return rows.map((row) => Object.values(row));
  }
}
