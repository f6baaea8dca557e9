import type { SmallCloud } from '../small-cloud.ts';

/** A machine with its network and a disk of its own. */
export const shop = (at: SmallCloud, more: object = {}) => ({
  parameters: { size: { type: 'integer', default: 8192 } },
  resources: {
    web: {
      kind: 'instance',
      properties: {
        name: 'web',
        instanceType: 'small',
        imageId: 'image-1',
        nics: [{ networkId: { ref: 'net' } }],
        attachVolumeIds: [{ ref: 'data' }],
      },
    },
    net: {
      kind: 'network',
      properties: { name: 'net', driver: 'simulated', hostId: at.hostId, subnets: [{ name: 'web-net', cidr: '10.9.0.0/24' }] },
    },
    data: { kind: 'volume', properties: { name: 'data', sizeBytes: { param: 'size' }, poolId: 'pool-1' } },
  },
  outputs: { network: { ref: 'net' }, driver: { ref: 'net.driver' } },
  ...more,
});
