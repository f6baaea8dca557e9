import { join } from 'node:path';
import { createCloud } from '@pileus/core';
import type { RequestBody, Store, Transaction } from '@pileus/core/kernel';
import { openSqlite } from '@pileus/core/sqlite';
import { BarePostgres } from './bare-postgres.ts';
import { HOSTNAMES, type Maker, machineInput, makeFixture } from './fixture.ts';
import { inFlight } from './harness.ts';
import benchWorld from './world-plugin.ts';

export type FloorVerb = 'create' | 'delete';
export interface FloorRequest {
  readonly verb: FloorVerb;
  readonly first: number;
  readonly count: number;
  readonly atOnce: number;
}
export interface FloorAnswer {
  readonly tookMs: readonly number[];
  readonly seconds: number;
  readonly cpuMs: number;
}
export interface FloorShape {
  readonly transactions: Readonly<Record<FloorVerb, number>>;
  readonly statements: Readonly<Record<FloorVerb, number>>;
}

const UUID = /[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}/g;
const MODEL = 1_000_000;
const NAME = `vm-${MODEL}`;
const KEY = 'key-template';

/** A store that can remember what is committed to it. */
class RecordingStore {
  readonly store: Store;
  /** Ids of before the first recording. Afterwards others, who go on in the background, name those that were recorded. */
  readonly #seen = new Set<string>();
  #isFirst = true;
  #recorded: string[] | undefined;

  constructor(inner: Store) {
    const commit = (transaction: Transaction) => {
      const text = JSON.stringify(transaction.statements);
      if (this.#isFirst) for (const [id] of text.matchAll(UUID)) this.#seen.add(id);
      this.#recorded?.push(text);
      return inner.commit(transaction);
    };
    this.store = new Proxy(inner, {
      get(target, name) {
        const value: unknown = name === 'commit' ? commit : Reflect.get(target, name, target);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }

  /** The transactions of `work` that name its operation, each as text; observations of hosts are no part of it. */
  async record(work: () => Promise<unknown>): Promise<readonly string[]> {
    const recorded: string[] = [];
    this.#isFirst = false;
    this.#recorded = recorded;
    await work();
    this.#recorded = undefined;
    return recorded.filter((text) => text.includes('"operation"') || text.includes('"journal"'));
  }

  /** Ids that were first seen in these transactions. */
  newIds(texts: readonly string[]): readonly string[] {
    const found = new Set(texts.flatMap((text) => [...text.matchAll(UUID)].map(([id]) => id)));
    return [...found].filter((id) => !this.#seen.has(id));
  }
}

/** The transactions of one creation and one deletion, with everything that must differ between two machines left open. */
class Template {
  readonly #texts: Readonly<Record<FloorVerb, readonly string[]>>;
  readonly #ids: readonly string[];
  readonly #address: string;
  readonly #mac: string;

  constructor(texts: Readonly<Record<FloorVerb, readonly string[]>>, ids: readonly string[]) {
    this.#texts = texts;
    this.#ids = ids;
    const all = texts.create.join();
    this.#address = /"address":"([^"]+)"/.exec(all)?.[1] ?? '';
    this.#mac = /"mac":"([^"]+)"/.exec(all)?.[1] ?? '';
  }

  get shape(): FloorShape {
    const count = (verb: FloorVerb) => this.#texts[verb].reduce((sum, text) => sum + (JSON.parse(text) as unknown[]).length, 0);
    return {
      transactions: { create: this.#texts.create.length, delete: this.#texts.delete.length },
      statements: { create: count('create'), delete: count('delete') },
    };
  }

  of(verb: FloorVerb, index: number, store: Pick<Store, 'epoch'>): readonly Transaction[] {
    const swaps = this.#swaps(index);
    const at = new Date(Date.UTC(2026, 0, 1)).toISOString();
    return this.#texts[verb].map((text) => {
      const own = swaps.reduce((result, [from, to]) => result.replaceAll(from, to), text);
      return { node: 'bench', epoch: store.epoch, at, statements: JSON.parse(own) as Transaction['statements'] };
    });
  }

  /** Ids grow with the index, as minted ones do. Names are made of the ends of ids, so those follow. */
  #swaps(index: number): readonly (readonly [string, string])[] {
    const hex = (value: number, digits: number) => value.toString(16).padStart(digits, '0');
    const ids = this.#ids.map((id, slot) => {
      const time = hex(0x0199_0000_0000 + index, 12);
      return [id, `${time.slice(0, 8)}-${time.slice(8)}-7000-8000-${hex(index * 16 + slot, 12)}`] as const;
    });
    const tails = [12, 8].flatMap((length) => ids.map(([from, to]) => [`-${from.slice(-length)}`, `-${to.slice(-length)}`] as const));
    const bytes = [index >> 16, (index >> 8) & 255, index & 255];
    return [
      ...ids,
      ...tails,
      [this.#address, `10.${128 + (bytes[0] ?? 0)}.${bytes[1]}.${bytes[2]}`],
      [this.#mac, `52:54:00:${bytes.map((byte) => hex(byte, 2)).join(':')}`],
      [NAME, `vm-${String(index).padStart(NAME.length - 3, '0')}`],
      [KEY, `key-${hex(index, KEY.length - 4)}`],
    ];
  }
}

/** A cloud in this process, on a store that remembers; stopped once it has made and deleted one machine. */
async function recordTemplate(recording: RecordingStore, dir: string): Promise<Template> {
  const cloud = await createCloud({
    plugins: [benchWorld({ hosts: HOSTNAMES })],
    store: recording.store,
    dataDir: join(dir, 'data'),
    presets: { 'hosts.heartbeatSeconds': 3600 },
  });
  const ask = async (method: string, url: string, body?: RequestBody, headers: Record<string, string> = {}) => {
    const response = await cloud.handle({
      method,
      url,
      headers: { prefer: 'wait=60', ...headers },
      ...(body === undefined ? {} : { body }),
    });
    if (response.status !== 200) throw new Error(`${method} ${url}: ${response.status} ${String(response.body)}`);
    return String(response.body);
  };
  const noBytes = () => {
    throw new Error('no bytes here');
  };
  const maker: Maker = {
    async done(method, path, input, key) {
      const body = input === undefined ? undefined : { json: async () => input as unknown, bytes: noBytes };
      const text = await ask(method, path, body, key === undefined ? {} : { 'idempotency-key': key });
      return (JSON.parse(text) as { readonly resourceId: string }).resourceId;
    },
    async upload(path, content) {
      const bytes = async function* () {
        yield content;
      };
      await ask('PUT', path, { json: async () => undefined, bytes });
    },
  };
  const fixture = await makeFixture(maker);
  let id = '';
  const create = await recording.record(async () => {
    id = await maker.done('POST', '/v1/instances', machineInput(fixture, MODEL), KEY);
  });
  const remove = await recording.record(() => maker.done('DELETE', `/v1/instances/${id}`));
  await cloud.kernel.stop();
  const template = new Template({ create, delete: remove }, recording.newIds([...create, ...remove]));
  return template;
}

async function replay(
  store: Pick<Store, 'epoch' | 'commit'>,
  template: Template,
  { verb, first, count, atOnce }: FloorRequest,
): Promise<FloorAnswer> {
  const work = new Map(Array.from({ length: count }, (_, step) => [first + step, template.of(verb, first + step, store)]));
  const cpu = process.cpuUsage();
  const startedMs = performance.now();
  const tookMs = await inFlight(atOnce, first, count, async (index) => {
    for (const transaction of work.get(index) ?? []) {
      const result = await store.commit(transaction);
      if (!result.ok) throw new Error(`${verb} ${index}: ${JSON.stringify(result)} ${JSON.stringify(transaction.statements)}`);
    }
  });
  const { user, system } = process.cpuUsage(cpu);
  return { tookMs, seconds: (performance.now() - startedMs) / 1000, cpuMs: (user + system) / 1000 / count };
}

const [dir = '', postgres] = process.argv.slice(2);
const inner = await openSqlite({ path: join(dir, 'floor.db') });
const template = await recordTemplate(new RecordingStore(inner), dir);
const floor = postgres === undefined ? inner : await BarePostgres.open(postgres);
process.on('message', (request: FloorRequest) => {
  void replay(floor, template, request).then((answer) => process.send?.(answer));
});
process.send?.(template.shape);
