import { placementFilter } from '@pileus/core';
import { defineSystemTag, onContribution, type Plugin, systemTagValues } from '@pileus/core/kernel';
import { Type } from 'typebox';

/** On an instance type: the racks that its machines go to. */
const racksOnly = defineSystemTag({
  name: 'racks.only',
  description: 'Machines of this type go to these racks alone.',
  kinds: ['instanceType'],
  value: Type.String({ pattern: '^rack-[0-9]+$' }),
  many: true,
  adminOnly: true,
  affects: [{ kind: 'instance', by: 'instanceTypeId' }],
});

/** Machines of some types go to some racks: a tag, and a filter of placement that reads it. */
export const racks: Plugin = {
  id: 'racks',
  version: '1.0.0',
  systemTags: [racksOnly],
  hooks: [
    onContribution(placementFilter, async ({ instanceTypeId }, { reader }) => {
      const only = instanceTypeId === undefined ? [] : await systemTagValues(reader, racksOnly, instanceTypeId);
      if (only.length === 0) return undefined;
      return { name: 'racks', refuse: (host) => (only.includes(host.failureDomain) ? undefined : `is in none of ${only.join(', ')}`) };
    }),
  ],
};
