import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Scenario, SimCloud } from '@pileus/core/testing';
import { addImage, machine, type SmallCloud, smallCloud } from '../../core/test/cloud/small-cloud.ts';
import type { Sent } from './virtual-server.ts';

/** A call that changes something and is no action: where it is asked, and how. */
export interface RepeatedCall {
  /** Its route. */
  readonly operationId: string;
  readonly prepare: () => Promise<{ readonly sim: SimCloud; readonly sent: Sent }>;
  /** What the audit calls it. */
  readonly action: string;
  /** Fields of its answer that are kept nowhere, the secret first: a repeat is given another, and each that is given out is told of in the audit. */
  readonly oneTime?: readonly string[];
  /** Lets what it is about go on, before it is asked for again. */
  readonly goOn?: (sim: SimCloud) => Promise<void>;
}

const STRAYS_FOUND_MS = 600_000;

const post = (path: string, body: object = {}): Sent => ({ method: 'POST', path: `/v1${path}`, body });

const on = (send: (at: SmallCloud) => Promise<Sent>) => async () => {
  const at = await smallCloud();
  return { sim: at.sim, sent: await send(at) };
};

async function aKey({ sim }: SmallCloud): Promise<string> {
  const body = { name: 'key-1', serviceAccountId: await sim.done('serviceAccount.create', { name: 'robot' }) };
  return ((await sim.environment.complete(sim.call('POST', '/api-keys', { body }))) as { readonly id: string }).id;
}

/** A deletion whose last step fails for as long as nobody mends it. */
const stuck = (verb: string) =>
  on(async (at) => {
    const id = await at.sim.done('instance.create', machine(at));
    at.sim.around = (point, body) => (point.path === 'remove[0.0]/disk' ? Promise.reject(new Error('struck')) : body());
    const { operationId } = await at.sim.submit('instance.delete', {}, id);
    await at.sim.run(60_000);
    const { state } = at.sim.row('operation', operationId) ?? {};
    if (state !== 'needs_attention') throw new Error(`${operationId} is ${state}`);
    at.sim.around = undefined;
    return post(`/operations/${operationId}/${verb}`);
  });
const aWhile = (sim: SimCloud): Promise<void> => sim.run(60_000);

export const repeatedCalls: readonly RepeatedCall[] = [
  {
    operationId: 'operations.cancel',
    action: 'operation.cancel',
    prepare: on(async (at) => post(`/operations/${(await at.sim.submit('instance.create', machine(at))).operationId}/cancel`)),
    goOn: aWhile,
  },
  { operationId: 'operations.retry', action: 'operation.retry', prepare: stuck('retry'), goOn: aWhile },
  { operationId: 'operations.skip', action: 'operation.skip', prepare: stuck('skip'), goOn: aWhile },
  {
    operationId: 'recovery.confirm',
    action: 'recovery.confirm',
    prepare: on(async ({ sim }) => {
      await addImage(sim, 'image-2');
      const home = await mkdtemp(join(tmpdir(), 'pileus-repeated-'));
      sim.backup(join(home, 'backup.db'));
      await sim.restore(join(home, 'backup.db'));
      // What is open stays until it is closed.
      await rm(home, { recursive: true });
      return post('/recovery/confirm');
    }),
  },
  {
    operationId: 'instances.consoleRevoke',
    action: 'instance.console.revoke',
    prepare: on(async (at) => post(`/instances/${await at.sim.done('instance.create', machine(at))}/console/revoke`)),
  },
  {
    operationId: 'instances.console',
    action: 'instance.console',
    prepare: on(async (at) => post(`/instances/${await at.sim.done('instance.create', machine(at))}/console`)),
    oneTime: ['token', 'path', 'expiresAt'],
  },
  {
    operationId: 'api-keys.create',
    action: 'apiKey.create',
    prepare: on(async ({ sim }) =>
      post('/api-keys', { name: 'key-1', serviceAccountId: await sim.done('serviceAccount.create', { name: 'robot' }) }),
    ),
    oneTime: ['key'],
  },
  {
    operationId: 'api-keys.rotate',
    action: 'apiKey.rotate',
    prepare: on(async (at) => post(`/api-keys/${await aKey(at)}/rotate`)),
    oneTime: ['key', 'oldKeyUntil'],
  },
];

/** What is done about a volume that a pool has and the store does not know. */
const onStray = (action: string): Scenario => ({
  name: action,
  prepare: async () => {
    const { sim, poolId } = await smallCloud();
    sim.world.pools.get(`hv1/${poolId}`)?.createVolume(sim.kernel.services.ids.mint('volume'), 8192, undefined);
    await sim.run(STRAYS_FOUND_MS);
    return sim;
  },
  act: async (sim) => (await sim.submit(action, {}, String(sim.rows('stray')[0]?.id))).operationId,
});
export const strayScenarios: readonly Scenario[] = ['stray.adopt', 'stray.remove', 'stray.delete'].map(onStray);

/** Routes that change something and are not asked here, with what keeps them out. A new route is in one of the lists. */
export const leftOut: Readonly<Record<string, string>> = {
  'sessions.create': 'who asks has not proven who he is: he has no key of his own that others could not use, and gets a session each time',
  'sessions.token': 'as sessions.create',
  'logout.create': 'the session that could ask again is over',
  'password.create': 'takes real time; asked of a server with all its parts',
  'users.password': 'as password.create',
  'images.uploadContent': 'as password.create: digests of the simulation are none',
  'images.complete': 'what an upload ends with: of an image that has no content it is refused, and one that has is complete',
};
