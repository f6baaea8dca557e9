import { Type } from 'typebox';
import { defineKind, ref } from '../../kernel/index.ts';

export const cluster = defineKind({
  name: 'cluster',
  plural: 'clusters',
  description: 'Hosts of one hypervisor on one set of switches; machines move within it.',
  scope: 'cloud',
  schema: Type.Object({
    zoneId: ref('zone', 'restrict', { recursive: true }),
    description: Type.Optional(Type.String({ maxLength: 1024 })),
    hypervisor: Type.String({ description: 'Name of the hypervisor strategy, e.g. `kvm`.' }),
    vcpuOvercommit: Type.Number({ minimum: 1, maximum: 64, description: 'Virtual processors promised per hardware thread.' }),
    memoryOvercommit: Type.Number({ minimum: 0.5, maximum: 4, description: 'Memory promised per memory of the host.' }),
    allowEmulation: Type.Boolean({ description: 'Whether hosts without hardware virtualisation may run machines here.' }),
    hostsMax: Type.Integer({ minimum: 1, maximum: 1000, description: 'Hosts that the fabric takes.' }),
  }),
  states: { available: ['deleting'], deleting: ['deleted'] },
  initial: 'available',
});
