import type { CallOptions, ChangeOptions, Client, Outgoing } from './client.ts';
import type { DryRun } from './dry-run.ts';
import { Endpoints, json } from './endpoints.ts';
import { type Change, changes, follow, type Listed, type WatchOptions } from './events.ts';
import type { AnyGraph, LooseGraph } from './graph.ts';
import type { Id, Named } from './id.ts';
import { List, type ListOptions, listPath, type Page } from './list.ts';
import { Accepted, type AcceptedBody, Pending } from './pending.ts';
import { Query } from './query.ts';
import { Reply } from './reply.ts';

/** The fields that rows of all kinds have and that this client relies on. */
export interface AnyRow {
  readonly id: string;
  readonly name: string;
  readonly state: string;
  readonly generation: number;
  readonly revision: number;
}

export interface DeleteOptions extends ChangeOptions {
  /** Go on although hosts are out of reach; what could not be cleaned stays visible as a debt and is retried. */
  readonly force?: boolean;
  /** The plan of a preview: exactly that is deleted and let go of, or nothing. @throws PileusError plan_changed */
  readonly plan?: string;
  /** Not into the trash: for good. */
  readonly permanent?: boolean;
  /** Also all that stands on it and would block it: of a zone its clusters, hosts, machines, pools and their disks. */
  readonly recursive?: boolean;
}

export interface PreviewOptions extends CallOptions {
  /** As for the deletion. */
  readonly force?: boolean;
  readonly permanent?: boolean;
  readonly recursive?: boolean;
  /** Rows shown of each effect; all are counted. Default 100. */
  readonly limit?: number;
}

/** What a deletion would do, as far as the key may see it. */
export interface DeletionPreview {
  readonly resourceKind: string;
  readonly resourceId: string;
  /** For `DeleteOptions`. Absent while something is in the way. */
  readonly plan?: string;
  /** It goes into the trash. */
  readonly recoverable: boolean;
  /** The resource first, then all that it owns. The deepest go first. */
  readonly deleted: DeletionEffects<{ readonly state: string; readonly depth: number }>;
  /** What stays, without the field that pointed here. */
  readonly detached: DeletionEffects<{ readonly field: string }>;
  readonly blocked: DeletionEffects<{ readonly reason: string }>;
}

export interface DeletionEffects<T> {
  readonly total: number;
  /** There is more, which this key may not see. */
  readonly hidden: boolean;
  readonly kinds: readonly { readonly kind: string; readonly total: number }[];
  /** The first of them. */
  readonly rows: readonly (T & { readonly kind: string; readonly id: string; readonly name: string })[];
}

export interface ResourceNames<K extends string> {
  readonly kind: K;
  /** Path segment below `/v1`, e.g. `instances`. */
  readonly plural: string;
}

/** What can be done with all kinds. The client of one kind adds its own verbs. `F` are the fields that lists can filter by, `S` those they can sort by, `G` what queries see. */
export class Resource<
  K extends string,
  R,
  F = Readonly<Record<string, string | number | boolean>>,
  S extends string = string,
  G extends AnyGraph = LooseGraph,
> extends Endpoints {
  readonly kind: K;

  constructor(client: Client, names: ResourceNames<K>) {
    super(client, names.plural);
    this.kind = names.kind;
  }

  /** One row, by id or name. @throws PileusError not_found */
  get(resource: Named<K>, options: CallOptions = {}): Reply<R> {
    return new Reply(this.client.json<R>({ method: 'GET', path: this.path(resource) }, options));
  }

  /** Rows on demand: a loop, a page, or all. */
  list(options: ListOptions<F, S> = {}): List<R, G> {
    const path = this.path();
    return new List<R, G>((page) => this.client.json<Page<R>>({ method: 'GET', path: listPath(path, options, page) }, options), options);
  }

  /** Rows by any condition over their fields and along the graph, in parts, counted or grouped. A wrong field or type does not compile. */
  query(options: CallOptions = {}): Query<R, G> {
    return new Query<R, G>(this.client, this.path(), options);
  }

  /** Changes of rows of this kind from now, or behind a cursor. @throws PileusError gone */
  watch(options: WatchOptions = {}): AsyncGenerator<Change<K, R>> {
    return changes<K, R>(this.client, { ...options, kinds: [this.kind] });
  }

  /** First all rows, then their changes, for ever; lists again by itself when too much was missed. */
  follow(options: ListOptions<F, S> = {}): AsyncGenerator<Listed<R & AnyRow> | Change<K, R & AnyRow>> {
    const { signal, allProjects } = options;
    const feed = { kinds: [this.kind], ...(signal === undefined ? {} : { signal }), ...(allProjects === undefined ? {} : { allProjects }) };
    return follow<K, R & AnyRow>(this.client, feed, async () => {
      const { rows, cursor } = await this.list(options).snapshot();
      return { rows: rows as (R & AnyRow)[], cursor };
    });
  }

  /** Makes one. `input` is checked by the server alone: the clients of single kinds have typed verbs. */
  createAny(input: object, options: ChangeOptions = {}): Pending<K, R> {
    return this.submit({ method: 'POST', path: this.path(), ...json(input) }, options);
  }

  /** Changes fields; `null` clears one. Checked by the server alone. */
  updateAny(resource: Named<K>, input: object, options: ChangeOptions = {}): Pending<K, R> {
    const body = json(input, 'application/merge-patch+json');
    return this.submit({ method: 'PATCH', path: this.path(resource), ...body }, options);
  }

  /** Deletes it and what it owns. Waiting yields nothing: the row is gone. */
  deleteAny(resource: Named<K>, options: DeleteOptions = {}): Pending<K, undefined> {
    const path = `${this.path(resource)}${deletionQuery(options, ['force', 'permanent', 'recursive', 'plan'])}`;
    return this.way(this.client, { method: 'DELETE', path }, options, async () => undefined);
  }

  /** What deleting it would do now: what goes, what is let go of, what is in the way. Changes nothing. */
  previewDeletion(resource: Named<K>, options: PreviewOptions = {}): Reply<DeletionPreview> {
    const query = deletionQuery(options, ['force', 'permanent', 'recursive', 'limit']);
    return new Reply(this.client.json<DeletionPreview>({ method: 'GET', path: `${this.path(resource, 'deletion')}${query}` }, options));
  }

  /** Any verb on one resource, also one that these types do not know yet. Waiting yields the row as it is then, in state `deleted` where the verb has deleted it. `verb` as in paths: `attach-volume`. */
  act(resource: Named<K>, verb: string, input: object = {}, options: ChangeOptions = {}): Pending<K, R> {
    return this.submit({ method: 'POST', path: this.path(resource, verb), ...json(input) }, options);
  }

  /** Any verb on the collection. */
  actOnAll(verb: string, input: object = {}, options: ChangeOptions = {}): Pending<K, R> {
    return this.submit({ method: 'POST', path: `${this.path()}/actions/${verb}`, ...json(input) }, options);
  }

  protected get way(): Way {
    // For `dryRun`, whose types say that there is nothing to wait for.
    return this.rehearses ? (rehearse as unknown as Way) : accept;
  }

  protected submit(request: Outgoing, options: ChangeOptions): Pending<K, R> {
    // Some verbs end with the resource: what they leave is a deleted row.
    const result = (id: Id<K>, call: CallOptions) => this.client.json<R>({ method: 'GET', path: `${this.path(id)}?deleted=true` }, call);
    return this.way(this.client, request, options, result);
  }
}

/** What becomes of a request for a change. */
type Way = <K extends string, R>(
  client: Client,
  request: Outgoing,
  options: ChangeOptions,
  result: (id: Id<K>, call: CallOptions) => Promise<R>,
) => Pending<K, R>;

const accept: Way = (client, request, options, result) =>
  new Pending(client.change<AcceptedBody>(request, options).then((body) => new Accepted(client, body, result)));

const rehearse = (client: Client, request: Outgoing, options: ChangeOptions): Reply<DryRun> => {
  const path = `${request.path}${request.path.includes('?') ? '&' : '?'}dryRun=true`;
  return new Reply(client.change<DryRun>({ ...request, path }, options));
};
/** What is false says the same as what is left out. */
function deletionQuery(options: DeleteOptions & PreviewOptions, names: readonly (keyof (DeleteOptions & PreviewOptions))[]): string {
  const given = names.filter((name) => options[name] !== undefined && options[name] !== false);
  const query = new URLSearchParams(given.map((name): [string, string] => [name, String(options[name])])).toString();
  return query === '' ? '' : `?${query}`;
}
