import type { Client } from './client.ts';
import { type ConnectOptions, clientOf } from './connect.ts';
import type { Embedded } from './embedded.ts';
import { AnyEndpoints } from './endpoints.ts';
import { type Change, type ChangesOptions, type ChangesPage, changes, changesPage, type EventsOptions } from './events.ts';
import type { Id } from './id.ts';
import { Operations } from './operations.ts';
import { Reply } from './reply.ts';
import { Resource, type ResourceNames } from './resource.ts';

export type ServerDocument = Readonly<Record<string, unknown>>;

/** Every kind's name with the type of its rows. */
export type Rows = Readonly<Record<string, unknown>>;
/** A change of a row of any of the kinds: `kind` narrows `row`. */
export type AnyChange<M extends object> = { [K in keyof M & string]: Change<K, M[K]> }[keyof M & string];

/** What clients of all servers have; generated clouds add one property for each kind. `M` is the map of kinds to rows. */
export class BaseCloud<M extends object> {
  readonly operations: Operations;
  protected readonly client: Client;

  constructor(target: ConnectOptions | Embedded) {
    this.client = clientOf(target);
    this.operations = new Operations(this.client);
  }

  /** The change feed over all kinds that the key may see. Survives disconnects; each cursor comes once. @throws PileusError gone */
  events<K extends keyof M & string>(options: EventsOptions<K> = {}): AsyncGenerator<AnyChange<Pick<M, K>>> {
    return changes<K, M[K]>(this.client, options) as AsyncGenerator<AnyChange<Pick<M, K>>>;
  }

  /** One page of the change feed: `events` without a stream. @throws PileusError gone */
  changes<K extends keyof M & string>(options: ChangesOptions<K> = {}): Reply<ChangesPage<AnyChange<Pick<M, K>>>> {
    return new Reply(changesPage<AnyChange<Pick<M, K>>>(this.client, options));
  }

  /** Any kind by its names, also one that these types do not know: rows and inputs are checked by the server alone. */
  resource<K extends string>(names: ResourceNames<K>): Resource<K, UntypedRow<K>> {
    return new Resource<K, UntypedRow<K>>(this.client, names);
  }

  /** What is served below a path segment beside rows and actions, e.g. `endpoints('recovery')`. */
  endpoints(segment: string): AnyEndpoints {
    return new AnyEndpoints(this.client, segment);
  }

  /** The server's own description, OpenAPI 3.1. */
  async document(): Promise<ServerDocument> {
    return await this.client.json({ method: 'GET', path: '/v1/openapi.json' });
  }

  /** The description with its ETag, or undefined when it is still the one of the ETag given. */
  async documentUnless(
    etag: string | undefined,
  ): Promise<{ readonly document: ServerDocument; readonly etag: string | undefined } | undefined> {
    const headers = etag === undefined ? {} : { 'if-none-match': etag };
    return await this.client.send({ method: 'GET', path: '/v1/openapi.json', headers }, {}, async (response) => {
      const text = await response.text();
      return response.status === 304 ? undefined : { document: JSON.parse(text) as ServerDocument, etag: response.headers.etag };
    });
  }
}

/** A row of a kind that is known by name only. */
export interface UntypedRow<K extends string = string> {
  readonly id: Id<K>;
  readonly name: string;
  readonly state: string;
  readonly generation: number;
  readonly revision: number;
  readonly [field: string]: unknown;
}
