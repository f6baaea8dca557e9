import { Type } from 'typebox';
import { bytes, defineKind, ref, secret } from '../../kernel/index.ts';
import { labels } from '../labels.ts';
import { taints } from '../taints.ts';

/** How a host is connected to a physical network that carries its storage. */
const storageNetwork = Type.Object({
  physicalNetworkId: Type.String({ format: 'uuid' }),
  link: Type.Optional(Type.String({ description: 'The link of the host that leads there; absent where none is known.' })),
  isUp: Type.Optional(Type.Boolean()),
  speedMbits: Type.Optional(Type.Integer({ description: 'Of all of it, megabits a second; absent where it does not tell.' })),
  mtuBytes: Type.Optional(Type.Integer()),
  bond: Type.Optional(
    Type.Object({
      name: Type.String(),
      mode: Type.Optional(Type.String()),
      members: Type.Array(Type.Object({ name: Type.String(), isUp: Type.Boolean(), speedMbits: Type.Optional(Type.Integer()) })),
    }),
  ),
  isOverlay: Type.Optional(Type.Boolean({ description: 'What is sent there goes on inside of other packets.' })),
  findings: Type.Array(
    Type.Object({
      code: Type.Union([
        Type.Literal('not_told'),
        Type.Literal('not_there'),
        Type.Literal('down'),
        Type.Literal('overlay'),
        Type.Literal('slow'),
        Type.Literal('speed_unknown'),
        Type.Literal('not_bonded'),
        Type.Literal('bond_degraded'),
        Type.Literal('small_mtu'),
        Type.Literal('shared'),
      ]),
      level: Type.Union([Type.Literal('warning'), Type.Literal('error')]),
      found: Type.String({ description: 'What there is.' }),
      wanted: Type.String({ description: 'What is wanted.' }),
      since: Type.String({ format: 'date-time' }),
    }),
  ),
});

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
    taints: Type.Optional(taints()),
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
    storageNetworkStatus: Type.Optional(
      Type.Union([Type.Literal('fit'), Type.Literal('warned'), Type.Literal('unfit'), Type.Literal('unknown')], {
        description:
          '`fit`: its ways to storage are as the settings `storageNetwork.*` want them. `warned`: not all. `unfit`: not all, and no machine is placed here for that. `unknown`: no agent tells of them. Absent: its cluster has no physical network of the role `storage`.',
      }),
    ),
    storageNetworks: Type.Optional(
      Type.Array(storageNetwork, { description: 'Its way to each physical network of the role `storage`, as its agent tells it.' }),
    ),
    unreachedPools: Type.Optional(
      Type.Array(
        Type.Object({
          poolId: Type.String({ format: 'uuid' }),
          reason: Type.String(),
          since: Type.String({ format: 'date-time' }),
        }),
        {
          description:
            'Pools of its cluster and zone that it does not reach, though they are well: no machine that needs one is placed here.',
        },
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
