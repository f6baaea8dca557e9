import { readFile } from 'node:fs/promises';
import { describeServer } from '@pileus/sdk/document';
import { expect } from 'chai';
import { linkedColumns, listColumns } from '../src/linked-columns.ts';
import type { Server } from '../src/server.ts';

const DOCUMENT = new URL('../../../docs/reference/openapi.json', import.meta.url);

/** What a list shows unasked, between name and state and age and id. Columns are there whether or not any row has them. */
const SHOWN = {
  fabric: 'driver life serial trouble',
  physicalNetwork: 'cluster label role mtuBytes',
  vpc: 'driver scope domain',
  network: 'driver scope mode vpc physicalNetwork vlanId',
  subnet: 'network cidr gateway firstAddress lastAddress',
  nic: 'instance network mac address slot ipv6Address',
  route: 'vpc destination nextHop',
  peering: 'vpc peerVpcId sharesNames',
  dnsRecord: 'vpc hostname addresses',
  natGateway: 'vpc snat address ipv6Address',
  elasticIp: 'address family distributed nic loadBalancer',
  portForward: 'natGateway nic protocol externalPort port',
  loadBalancer: 'vpc address',
  listener: 'loadBalancer protocol port',
  backend: 'loadBalancer listener nic port weight heldReason heldUntil',
  securityGroupMember: 'securityGroup nic instance',
  pool: 'driver scope storageClass overcommit status health totalBytes freeBytes',
  storageClass: 'replicas encrypted iopsPerSecond bytesPerSecond',
  volume: 'instance sizeBytes deleteWithInstance status',
  attachment: 'volume instance slot',
  snapshot: 'volume group sizeBytes system status',
  image: 'guestOs firmware diskBus format sizeBytes',
  backup: 'set volumeName sizeBytes takenAt condition',
  backupPlan: 'volume instance schedule timeZone verify recoveryPointAt nextRunAt',
};

describe('the columns of lists', () => {
  it('are what networks and storage are looked at for', async () => {
    const description = describeServer(JSON.parse(await readFile(DOCUMENT, 'utf8')));
    const shown = description.kinds
      .filter(({ kind }) => kind in SHOWN)
      .map((kind) => [kind.kind, listColumns(kind, linkedColumns(kind, { description } as Server)).join(' ')]);
    const wanted = Object.entries(SHOWN).map(([kind, columns]) => [kind, `name state ${columns} createdAt id`]);
    expect(Object.fromEntries(shown)).to.deep.equal(Object.fromEntries(wanted));
  });
});
