import { Type } from 'typebox';
import { bytes, defineKind, ref, secret } from '../../kernel/index.ts';
import { labels } from '../labels.ts';

/** What the operator wants of a host (`state`) and whether it answers (`status`) are apart: either may change without the other. */
export const host = defineKind({
  name: 'host',
  plural: 'hosts',
  description: 'A server that runs machines, stores volumes, or both.',
  scope: 'cloud',
  schema: Type.Object({
    clusterId: ref('cluster', 'restrict', { recursive: true }),
    uri: Type.String({ maxLength: 512, description: 'How the hypervisor is reached, e.g. `qemu:///system` or `qemu+tls://hv1/system`.' }),
    tlsCredentials: Type.Optional(secret({ description: 'JSON with PEM texts `ca`, `cert`, `key`, for TLS.' })),
    failureDomain: Type.String({ minLength: 1, maxLength: 63, description: 'Rack or other unit that fails as one.' }),
    labels: Type.Optional(labels('What sets it apart, for instance types and requests that ask for it.')),
    vcpuOvercommit: Type.Optional(
      Type.Number({
        minimum: 1,
        maximum: 64,
        description: 'Virtual processors promised per hardware thread. Default: as its cluster says.',
      }),
    ),
    memoryOvercommit: Type.Optional(
      Type.Number({ minimum: 0.5, maximum: 4, description: 'Memory promised per memory of the host. Default: as its cluster says.' }),
    ),
    roles: Type.Array(Type.Union([Type.Literal('compute'), Type.Literal('storage')]), {
      minItems: 1,
      uniqueItems: true,
      description: '`compute`: machines are placed there. `storage`: it may be given pools of its own. What is there already stays.',
    }),
    status: Type.Union([Type.Literal('connecting'), Type.Literal('connected'), Type.Literal('disconnected')], {
      description: 'Whether it answers.',
    }),
    statusReason: Type.Optional(Type.String()),
    networkTroubles: Type.Optional(
      Type.Array(
        Type.Object({
          driver: Type.String(),
          reason: Type.String({ description: 'In words that follow the name of the host.' }),
          since: Type.String({ format: 'date-time' }),
        }),
        { description: 'What may keep machines that run there from their networks, by network driver; absent where nothing is known.' },
      ),
    ),
    hostname: Type.Optional(Type.String()),
    hostUuid: Type.Optional(Type.String()),
    cpus: Type.Optional(Type.Integer()),
    memoryBytes: Type.Optional(bytes()),
    cpuModel: Type.Optional(Type.String()),
    architecture: Type.Optional(Type.String()),
    hypervisorVersion: Type.Optional(Type.String()),
    virtType: Type.Optional(Type.Union([Type.Literal('kvm'), Type.Literal('tcg'), Type.Literal('simulated')])),
  }),
  states: {
    connecting: ['enabled', 'deleted'],
    enabled: ['disabled', 'maintenance', 'deleting'],
    /** Takes no new machines. */
    disabled: ['enabled', 'maintenance', 'deleting'],
    /** Takes no machines, and none runs on it. */
    maintenance: ['enabled', 'disabled', 'deleting'],
    deleting: ['deleted'],
  },
  initial: 'connecting',
  unique: [['uri'], ['hostUuid']],
  indexed: ['status', 'failureDomain'],
});
