import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { freePort } from '../../../../tools/system/free-port.ts';
import { Child } from '../../../core/test/sqlite/child/child.ts';
import { eventually } from '../server.ts';
import { type Release, Yard } from './crates.ts';
import type { Serving } from './serve.ts';

const CLIENTS = 4;
const BEFORE = 80;
const AFTER = 8;
/** Begun under the last release, each of them kept from going on there in another place: in a step, between two, and in an undo. */
const STUCK = ['stuck-planks', 'stuck-nails', 'stuck-nails-bad', 'stuck-undo-bad'];
const PAUSE_MS = 10;

interface Accepted {
  readonly name: string;
  readonly operationId: string;
  readonly crateId: string;
  readonly under: Release;
}

const pause = () => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));

type Ask = (method: string, path: string, body?: object, idempotencyKey?: string) => Promise<Response>;

/** Clients that ask whatever is served for crates, one after the other, and again with the same key until they are answered. */
class Load {
  readonly accepted: Accepted[] = [];
  readonly #ask: Ask;
  release: Release = 'last';
  #isOver = false;
  readonly #clients: Promise<unknown>;

  constructor(ask: Ask) {
    this.#ask = ask;
    this.#clients = Promise.all(Array.from({ length: CLIENTS }, (_, client) => this.#run(client)));
    this.#clients.catch(() => {});
  }

  under(release: Release): number {
    return this.accepted.filter(({ under }) => under === release).length;
  }

  async end(): Promise<void> {
    this.#isOver = true;
    await this.#clients;
  }

  async #run(client: number): Promise<void> {
    for (const name of STUCK) await this.#make(`${name}-${client}`);
    for (let number = 0; !this.#isOver; number += 1) {
      await this.#make(`${number % 7 === 3 ? 'bad' : 'good'}-${client}-${number}`);
      await pause();
    }
  }

  async #make(name: string): Promise<void> {
    // One request, however often it is made.
    const body = { name, weight: (this.accepted.length % 100) + 1 };
    for (;;) {
      const asked = this.release;
      const answer = await this.#ask('POST', '/v1/crates', body, name).catch(() => undefined);
      if (answer?.status === 202 || answer?.status === 200) {
        const { operationId, resourceId: crateId } = (await answer.json()) as { operationId: string; resourceId: string };
        this.accepted.push({ name, operationId, crateId, under: asked });
        return;
      }
      if (answer !== undefined) expect(answer.status, await answer.text()).to.equal(503);
      await pause();
    }
  }
}

/**
 * The proof that a release takes over from the one before: that is killed under load, and the next one in the midst of its migration; what comes up then ends
 * every operation that either has accepted, each by the steps it began with, and knows all rows in their new shape.
 */
export async function upgradeUnderLoad(store: string | undefined): Promise<void> {
  const directory = await mkdtemp(join(tmpdir(), 'pileus-upgrade-'));
  const yard = new Yard(join(directory, 'yard'), false);
  await mkdir(yard.directory);
  // Clients knock at it while nobody listens: at one of the kernel's own they might meet themselves.
  const port = await freePort();
  const children: Child[] = [];
  const serve = (release: Release, lastRow?: number): Child => {
    const serving: Serving = { release, directory, yard: yard.directory, store, port, lastRow };
    const child = new Child(new URL('serve.ts', import.meta.url).href, [JSON.stringify(serving)]);
    children.push(child);
    return child;
  };
  try {
    const last = serve('last');
    await last.says('listening');
    const address = last.said('listening')[0] ?? '';
    const key = last.said('key')[0] ?? '';
    const ask: Ask = (method, path, body, idempotencyKey) =>
      fetch(address + path, {
        method,
        headers: {
          authorization: `Bearer ${key}`,
          ...(body === undefined ? {} : { 'content-type': 'application/json' }),
          ...(idempotencyKey === undefined ? {} : { 'idempotency-key': idempotencyKey }),
        },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      });
    const load = new Load(ask);
    const stuck = async () => [...(await yard.parts()).values()].filter((parts) => parts.includes('stuck')).length;
    await eventually(async () => load.under('last') >= BEFORE && (await stuck()) === CLIENTS * STUCK.length, 120_000);
    await last.kill();
    load.release = 'next';

    const killed = serve('next', BEFORE / 2);
    await killed.says('row', BEFORE / 2);
    await killed.kill();
    expect(killed.said('listening'), 'killed before it was done').to.deep.equal([]);

    const next = serve('next');
    await next.says('listening');
    await eventually(() => load.under('next') >= AFTER, 120_000);
    await load.end();
    await expectEnded(load, yard, async (path) => (await ask('GET', path)).json());
  } finally {
    for (const child of children) await child.kill();
    await rm(directory, { recursive: true, force: true });
  }
}

// biome-ignore lint/suspicious/noExplicitAny: JSON of any shape.
type Get = (path: string) => Promise<any>;

async function expectEnded({ accepted }: Load, yard: Yard, get: Get): Promise<void> {
  const made: string[] = [];
  for (const { name, operationId, crateId, under } of accepted) {
    const operation = await get(`/v1/operations/${operationId}?waitSeconds=60`);
    expect(operation.state, `${name}: ${JSON.stringify(operation)}`).to.equal(name.includes('bad') ? 'failed' : 'succeeded');
    const done = ((await yard.parts()).get(crateId) ?? []).filter((part) => part !== 'stuck');
    const isNext = operation.saga === 'crate.make@2';
    // What the last release has answered it has begun; what it was asked for and has not answered, either may have.
    if (under === 'last') expect(isNext, name).to.equal(false);
    if (name.includes('bad')) expect(done, name).to.deep.equal([]);
    else {
      made.push(name);
      expect(done, name).to.deep.equal(isNext ? ['nails', 'paint', 'planks'] : ['nails', 'planks']);
    }
  }
  expect(new Set(accepted.map(({ crateId }) => crateId)).size).to.equal(accepted.length);
  const known = new Set(accepted.map(({ crateId }) => crateId));
  expect(
    [...(await yard.parts()).keys()].filter((id) => !known.has(id)),
    'made for nobody',
  ).to.deep.equal([]);
  const rows = [...(await all(get, "grade = 'light'")), ...(await all(get, "grade = 'heavy'"))];
  expect(rows.map(({ name }) => name).sort()).to.deep.equal(made.sort());
  for (const row of rows) expect(row).to.include({ state: 'ready', wood: 'oak', serial: `serial-${row.name}` });
}

interface Row {
  readonly name: string;
}

async function all(get: Get, filter: string): Promise<readonly Row[]> {
  const rows: Row[] = [];
  for (let after = ''; ; ) {
    const page = await get(`/v1/crates?limit=100&filter=${encodeURIComponent(filter)}${after}`);
    rows.push(...page.items);
    if (page.next === undefined) return rows;
    after = `&after=${page.next}`;
  }
}
