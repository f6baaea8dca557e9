// A cloud on real libvirt in a process of its own, driven over IPC, in which one step fails or the process is killed. Forked by crash-matrix.test.ts.
import { once } from 'node:events';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { cloud, systemPrincipal } from '@pileus/core';
import { Api, CloudError, Kernel, operation, type Plugin, type StepPoint, UNFINISHED } from '@pileus/core/kernel';
import { cloudIdOf, directoryImageStore, loadSealKey, nodeEnvironment } from '@pileus/core/node';
import { openSqlite } from '@pileus/core/sqlite';
import { kvm } from '@pileus/drivers-kvm';
import { ovn } from '@pileus/drivers-ovs/ovn';

export interface Fault {
  readonly path: string;
  readonly phase: 'do' | 'undo';
  readonly when: 'before' | 'after';
  readonly how: 'fails' | 'crashes';
}
/** A step that was run, as a fault names it. */
export type Place = Pick<StepPoint, 'path' | 'phase' | 'type'>;

export interface Order {
  readonly action: string;
  readonly input: object;
  readonly resourceId?: string;
  readonly fault?: Fault;
  /** A further one, on the way back from it. */
  readonly faultBack?: Fault;
  /** Content for the image that the action makes. */
  readonly contentPath?: string;
}
export interface Outcome {
  readonly resourceId: string;
  readonly state: string;
  readonly error?: { readonly code: string; readonly message: string };
  readonly places: readonly Place[];
}
export type Answer = { readonly started: readonly string[] } | { readonly outcome: Outcome } | { readonly refused: string };

/** OVN, if the cloud has it beside libvirt. */
export interface SteppedNetwork {
  readonly northbound: { readonly host: string; readonly port: number };
  readonly southbound: { readonly host: string; readonly port: number };
}

const END_MS = 120_000;
const LATE_SECONDS = 10;
const [dir = '', network] = process.argv.slice(2);
const environment = nodeEnvironment();
const places: Place[] = [];
let faults: Fault[] = [];

async function around<R>(point: StepPoint, body: () => Promise<R>): Promise<R> {
  const { path, phase, type } = point;
  places.push({ path, phase, type });
  const at = faults.findIndex((fault) => fault.path === path && fault.phase === phase);
  // Once only: what is tried again works.
  const [struck] = at === -1 ? [] : faults.splice(at, 1);
  if (struck === undefined) return body();
  if (struck.when === 'after') await body();
  if (struck.how === 'fails') throw new CloudError('conflict', `Injected ${struck.when} ${path}.`);
  process.kill(process.pid, 'SIGKILL');
  return new Promise<never>(() => undefined);
}

function networkPlugins(): readonly Plugin[] {
  if (network === undefined) return [];
  const { northbound, southbound } = JSON.parse(network) as SteppedNetwork;
  return [ovn({ northbound: [{ kind: 'tcp', ...northbound }], southbound: [{ kind: 'tcp', ...southbound }] })];
}

async function startKernel(): Promise<Kernel> {
  const sealKey = await loadSealKey(join(dir, 'seal.key'), environment.random);
  const kernel = new Kernel({
    environment,
    store: await openSqlite({ path: join(dir, 'pileus.db') }),
    sealKey,
    plugins: cloud({
      cloudId: await cloudIdOf(sealKey),
      imageStore: await directoryImageStore(join(dir, 'images')),
      plugins: [kvm({ virtType: 'tcg', cpuShares: false }), ...networkPlugins()],
    }),
    // Nothing here keeps a host from what it was asked for longer.
    presets: { 'hosts.heartbeatSeconds': 0.5, 'hosts.lateSeconds': LATE_SECONDS },
    around,
  });
  await kernel.start();
  return kernel;
}

async function perform(kernel: Kernel, order: Order): Promise<Outcome> {
  const { action, input, resourceId } = order;
  places.length = 0;
  faults = [order.fault, order.faultBack].filter((fault) => fault !== undefined);
  const target = resourceId === undefined ? {} : { resourceId };
  const accepted = await kernel.submit({ action, input, principal: systemPrincipal(), ...target });
  const { state, error } = await kernel.operations.wait(accepted.operationId, END_MS);
  if (order.contentPath !== undefined) await upload(kernel, accepted.resourceId, await readFile(order.contentPath));
  return { resourceId: accepted.resourceId, state, places: [...places], ...(error === undefined ? {} : { error }) };
}

async function upload(kernel: Kernel, imageId: string, content: Uint8Array): Promise<void> {
  const { status } = await new Api(kernel).handle({
    method: 'PUT',
    url: `/v1/images/${imageId}/content`,
    headers: {},
    body: {
      json: () => Promise.reject(new Error('an image is no JSON')),
      bytes: async function* () {
        yield content;
      },
    },
    principal: systemPrincipal(),
    requestId: 'upload',
    signal: new AbortController().signal,
    acceptsSocket: false,
  });
  if (status !== 200) throw new Error(`the upload was answered ${status}`);
}

/** Waits for the ends of what an earlier life of this cloud had accepted and not finished. */
async function finishEarlier(kernel: Kernel): Promise<readonly string[]> {
  const unfinished = await kernel.reader.list(operation, { field: 'state', op: 'in', value: UNFINISHED });
  const ended = await Promise.all(unfinished.map(({ id }) => kernel.operations.wait(id, END_MS)));
  return ended.map(({ state }) => state);
}

const kernel = await startKernel();
process.send?.({ started: await finishEarlier(kernel) } satisfies Answer);
for (;;) {
  const [order] = (await once(process, 'message')) as [Order];
  const answer: Answer = await perform(kernel, order).then(
    (outcome) => ({ outcome }),
    (error: unknown) => ({ refused: error instanceof Error ? error.message : String(error) }),
  );
  process.send?.(answer);
}
