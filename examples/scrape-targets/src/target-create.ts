import { instance, nic } from '@pileus/core';
import {
  type AcceptRequest,
  CloudError,
  changeable,
  create,
  defineAction,
  equals,
  expectState,
  type Id,
  type KernelServices,
  type Reader,
  resourceName,
  revert,
  saga,
  transition,
} from '@pileus/core/kernel';
import { type Static, Type } from 'typebox';
import { type Entry, entryOf, type TargetDirectory } from './directory.ts';
import { scrapePorts } from './options.ts';
import { scrapeTarget, type TargetParams } from './target.ts';

export interface TargetContext {
  readonly directory: TargetDirectory;
}

export interface EntryParams extends TargetParams {
  readonly entry: Entry;
}

const createSaga = saga<TargetContext, EntryParams>('scrapeTarget.create', 1)
  .effect('listed', {
    do: ({ ctx, params }) => ctx.directory.put(params.entry),
    undo: ({ ctx, params }) => ctx.directory.remove(params.id),
  })
  .write('active', {
    do: ({ params }) => [transition(scrapeTarget, params.id, { from: 'creating', to: 'active' })],
    undo: ({ params }) => [revert(scrapeTarget, params.id, { from: 'active', to: 'creating' })],
  })
  .build();

const { instanceId, port, scheme, metricsPath, description } = scrapeTarget.schema.properties;
const INPUT = Type.Object({
  name: resourceName(),
  instanceId,
  port,
  scheme: Type.Optional(scheme),
  metricsPath: Type.Optional(metricsPath),
  description,
});

/** Neither on its way in, nor out. */
const MADE = ['running', 'stopped', 'suspended', 'crashed', 'missing'] as const;

export const createTarget = (context: () => TargetContext, { settings }: KernelServices) =>
  defineAction({
    kind: scrapeTarget,
    verb: 'create',
    description: 'Has Prometheus collect metrics from a port of a machine.',
    target: 'collection',
    input: INPUT,
    accept: async ({ id, projectId, principal, reader, input }: AcceptRequest<typeof scrapeTarget, Static<typeof INPUT>>) => {
      const ports = settings.global(scrapePorts);
      if (ports.length > 0 && !ports.includes(input.port))
        throw new CloudError('invalid_input', `The operator allows the ports ${ports.join(', ')}.`, { pointer: '/port' });
      // Of others' machines it is as if there were none.
      const machine = await changeable(reader, instance, input.instanceId, principal, '/instanceId');
      const address = await addressOf(reader, machine.id);
      const row = { scheme: 'http' as const, metricsPath: '/metrics', ...input, id, projectId, address };
      return {
        params: { id, entry: entryOf(row) },
        // Its deletion waits until this is done; and one that came first is found by the guard.
        keys: [machine.id],
        statements: [create(scrapeTarget, row), expectState(instance, machine.id, MADE)],
      };
    },
    saga: createSaga,
    context,
    unwound: ({ id }) => [revert(scrapeTarget, id, { from: 'creating', to: 'deleted' })],
  });

async function addressOf(reader: Reader, machineId: Id<'instance'>): Promise<string> {
  const ports = await reader.list(nic, equals('instanceId', machineId));
  const [first] = ports.toSorted((a, b) => a.slot - b.slot);
  if (first === undefined) throw new CloudError('conflict', 'The machine has no NIC to be reached by.', { pointer: '/instanceId' });
  return first.address;
}
