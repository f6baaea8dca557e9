import { type TSchema, Type } from 'typebox';
import { defineSetting, type Setting } from '../../kernel/index.ts';
import type { StrayKind } from './stray.ts';

const levels = ['zone', 'cluster', 'host'];

export const heartbeatSeconds = defineSetting({
  name: 'hosts.heartbeatSeconds',
  description: 'How often each host is looked at; three looks missed in a row make it disconnected.',
  schema: Type.Number({ minimum: 0.1, maximum: 86_400 }),
  default: 5,
  levels,
});

export const lateSeconds = defineSetting({
  name: 'hosts.lateSeconds',
  description:
    'How long a host that has left a call unanswered must have answered again before that call counts as one that will not be carried out any more: so long a disk that could not be attached is not released, and a machine does not return to where it was removed.',
  schema: Type.Integer({ minimum: 0, maximum: 3600 }),
  default: 60,
});

export const strayAfterSeconds = defineSetting({
  name: 'strays.afterSeconds',
  description: 'How long something unknown lies in quarantine before it is adopted or removed.',
  schema: Type.Number({ minimum: 0 }),
  default: 86_400,
  levels,
});

export type StrayVerb = 'keep' | 'adopt' | 'remove';

/** The store may have been restored from yesterday: nothing unknown is touched unless an operator says so. */
const policy = <T extends TSchema>(plural: string, things: string, schema: T) =>
  defineSetting({ name: `strays.${plural}`, description: `What becomes of unknown ${things}.`, schema, default: 'keep' as never, levels });
const kept = Type.Union([Type.Literal('keep'), Type.Literal('remove')]);
const adopted = Type.Union([Type.Literal('keep'), Type.Literal('adopt'), Type.Literal('remove')]);

const around = policy('networkObjects', 'objects around networks: VPCs, peerings, security groups, gateways and the like', kept);

/** Only some can be adopted by themselves. */
export const strayPolicies: Readonly<Record<StrayKind, Setting<StrayVerb>>> = {
  machine: policy('machines', 'machines, with their disks and NICs', adopted),
  snapshot: policy('snapshots', 'snapshots of volumes', kept),
  volume: policy('volumes', 'volumes', adopted),
  seed: policy('seeds', 'seeds of machines', kept),
  image: policy('images', 'copies of images in pools', kept),
  port: policy('ports', 'ports', kept),
  network: policy('networks', 'networks', kept),
  ...{ dnsRecord: around, loadBalancer: around, portForward: around, elasticIp: around },
  ...{ natGateway: around, peering: around, securityGroup: around, vpc: around },
};

export const straySettings: readonly Setting[] = [strayAfterSeconds, ...new Set(Object.values(strayPolicies))];
export const topologySettings: readonly Setting[] = [heartbeatSeconds, lateSeconds, ...straySettings];
