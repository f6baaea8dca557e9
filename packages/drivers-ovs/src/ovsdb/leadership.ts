import { database } from './database.ts';
import { ConnectionLostError, OvsdbError } from './errors.ts';
import { Replica } from './replica.ts';
import type { CallOptions } from './requests.ts';
import type { RowUuid } from './row.ts';
import type { Session } from './session.ts';

/** What a server says of a database that it serves. */
interface ServedDatabase {
  readonly _uuid: RowUuid<'Database'>;
  readonly name: string;
  readonly model: string;
  readonly connected: boolean;
  readonly leader: boolean;
}

const served = database<{ readonly Database: ServedDatabase }>('_Server', '1.2.0', {
  Database: { columns: { name: 'string', model: 'string', connected: 'boolean', leader: 'boolean' } },
});

/** Whether the server at the other end may be worked with: in a cluster the leader, or at least a member that is in touch with it. */
export class Leadership {
  readonly #database: string;
  readonly #leaderOnly: boolean;
  #isElsewhere = false;
  readonly #replica = new Replica<{ Database: ServedDatabase }>('server', served, { Database: true }, async () => {});

  constructor(databaseName: string, leaderOnly: boolean) {
    this.#database = databaseName;
    this.#leaderOnly = leaderOnly;
  }

  /** Whether the server is a member of a cluster and its leader, if there is one, is another: soon there will be one. */
  get isElsewhere(): boolean {
    return this.#isElsewhere;
  }

  /** Begins to watch. Ends the session when the server is, or becomes, none to work with. */
  async watch(session: Session, call: CallOptions): Promise<void> {
    await this.#replica.restore(session, new Set(), call);
    const told = await this.#replica.ready(call).then(
      () => true,
      (error: unknown) => {
        // Servers before 2.9 have neither clusters nor this.
        if (error instanceof OvsdbError && error.code === 'unknown_database') return false;
        throw error;
      },
    );
    if (!told) return;
    this.#replica.subscribe(() => this.#judge(session));
    this.#judge(session);
    if (session.isEnded) throw new ConnectionLostError((await session.closed).message, 'not_sent');
  }

  /** Takes the parameters of an `update3` that is about this. */
  update(params: readonly unknown[]): void | Promise<void> {
    return this.#replica.update(params);
  }

  #judge(session: Session): void {
    const row = [...this.#replica.tables.Database].find(({ name }) => name === this.#database);
    const problem = row === undefined ? `it does not serve ${this.#database}` : this.#problemOf(row);
    if (problem !== undefined) session.end(new Error(problem));
  }

  #problemOf({ model, connected, leader }: ServedDatabase): string | undefined {
    if (!connected) return 'it is not in touch with its cluster';
    if (model !== 'clustered' || !this.#leaderOnly || leader) return undefined;
    this.#isElsewhere = true;
    return 'it is not the leader of its cluster';
  }
}
