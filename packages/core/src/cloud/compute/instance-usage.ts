import { CloudError, type Endpoint, lookUp, readPermission, timestamp } from '../../kernel/index.ts';
import type { CloudServices } from '../services.ts';
import { usageSchema } from '../topology/contract.ts';
import type { InstanceRow } from './context.ts';
import { instance } from './instance.ts';

/** Asked of its host, in place of a field: it changes by the second, and the feed tells of what is wanted. */
export const instanceUsage = ({ reader, usages, environment }: Pick<CloudServices, 'reader' | 'usages' | 'environment'>): Endpoint => ({
  type: 'value',
  method: 'GET',
  path: '/instances/{id}/usage',
  summary: 'How much memory and processor time a machine takes at this moment.',
  permission: readPermission(instance),
  scope: 'project',
  answer: usageSchema('the machine'),
  handle: async ({ principal, params }) => {
    const row = (await lookUp(reader, instance, params.id ?? '', principal)).row as InstanceRow;
    const isOn = row.state === 'running' || row.state === 'suspended';
    const usage = isOn && row.hostId !== undefined ? await usages.ofMachine(row.hostId, row.id, row.vcpus) : undefined;
    if (usage === undefined && isOn) throw new CloudError('unavailable', 'Its host cannot tell at this moment.');
    return usage ?? { usedMemoryBytes: 0, cpuRatio: 0, observedAt: timestamp(environment.clock) };
  },
});
