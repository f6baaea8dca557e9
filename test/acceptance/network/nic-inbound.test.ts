import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { connect, type Id } from '@pileus/sdk';
import { expect } from 'chai';
import { ServerProcess } from '../../../tools/demo/server-process.ts';
import { buildGuestImage } from '../../../tools/guest/image.ts';
import { CACHE_DIR, ensureSystem } from '../../../tools/system/ensure.ts';
import { TEST_PACKAGES } from '../../../tools/system/packages.ts';
import { FULL } from '../../../tools/test/slice.ts';
import { virsh } from '../../lab/guest-domain.ts';
import { type Lab, labUp } from '../../lab/lab.ts';
import { PHYSICAL_NETWORK } from '../../lab/ovn/host-switch.ts';
import { EXTERNAL } from '../../lab/ovn/internet.ts';
import { until } from '../../lab/waiting.ts';
import { CephGuest } from '../storage/ceph-guest.ts';

const MIB = 2 ** 20;
/** Far below what is sent: some 50 bytes each millisecond. */
const BOUND = 2_048;
const WINDOW_MS = 4_000;

/** What comes to a machine is bounded by its hypervisor, so it takes a real one: libvirt has Open vSwitch queue what is for the card. */
if (FULL)
  describe('a guest of QEMU on OVN whose NIC is bounded in what it receives', function () {
    this.timeout(900_000);
    const made = new AsyncDisposableStack();
    let lab: Lab;
    let cloud: ReturnType<typeof connect>;

    before(async () => {
      expect(await ensureSystem({ log: () => {}, also: TEST_PACKAGES })).to.deep.equal({ ok: true });
      lab = made.adopt(await labUp({ hosts: 1, ovn: true }), (each) => each.down());
      const dir = made.adopt(await mkdtemp('/tmp/pileus-nic-inbound-'), (path) => rm(path, { recursive: true, force: true }));
      const { northbound, southbound } = lab.ovn;
      const databases = { northbound: [{ kind: 'tcp', ...northbound }], southbound: [{ kind: 'tcp', ...southbound }] };
      const plugins = [
        { module: '@pileus/drivers-kvm', export: 'kvm', options: { virtType: 'tcg', vncSocketDir: dir, cpuShares: false } },
        { module: '@pileus/drivers-ovs/ovn', export: 'ovn', options: databases },
      ];
      const config = { kvm: { enabled: false }, plugins, hosts: { heartbeatSeconds: 0.5 } };
      const server = made.adopt(await ServerProcess.start({ dir: join(dir, 'server'), config }), (each) => each.kill());
      cloud = connect({ url: server.url, apiKey: server.apiKey });
    });
    after(() => made.disposeAsync());

    /** A machine that runs behind an elastic IP, and is open to all. */
    async function guestBehind(nic: object): Promise<{ readonly id: Id<'instance'>; readonly nicId: Id<'nic'>; readonly address: string }> {
      const zone = await cloud.zones.create({ name: 'lab' }).wait();
      const cluster = await cloud.clusters.create({ name: 'lab', zoneId: zone.id, allowEmulation: true }).wait();
      const uri = `qemu+unix:///system?socket=${lab.host(0).socketPath}`;
      const host = await cloud.hosts.create({ name: 'hv1', clusterId: cluster.id, uri }).wait();
      await cloud.pools.create({ name: 'pool', hostId: host.id, settings: { path: '/var/lib/libvirt/images/pool' } }).wait();
      await cloud.instanceTypes.create({ name: 'tiny', vcpus: 1, memoryBytes: 96 * MIB }).wait();
      const wire = { clusterId: cluster.id, label: PHYSICAL_NETWORK, role: 'external' } as const;
      const physical = await cloud.physicalNetworks.create(wire).wait();
      const outside = [{ cidr: EXTERNAL.cidr, gateway: EXTERNAL.gateway }];
      const external = await cloud.networks
        .create({ name: 'external', physicalNetworkId: physical.id, vlanId: 0, subnets: outside })
        .wait();
      const vpc = await cloud.vpcs.create({ name: 'vpc' }).wait();
      const network = await cloud.networks.create({ name: 'lan', vpcId: vpc.id, subnets: [{ cidr: '10.0.0.0/24' }] }).wait();
      await cloud.natGateways.create({ vpcId: vpc.id, externalNetworkId: external.id }).wait();
      const group = await cloud.securityGroups.create({ vpcId: vpc.id, name: 'open' }).wait();
      for (const direction of ['inbound', 'outbound'] as const)
        await cloud.securityGroupRules.create({ securityGroupId: group.id, direction, cidrs: ['0.0.0.0/0'] }).wait();
      const image = await buildGuestImage({ cacheDir: CACHE_DIR, log: () => {} });
      const { id: imageId } = await cloud.images.create({ name: 'guest' }).wait();
      await cloud.images.upload(imageId, await readFile(image.path), { sha256: image.sha256 });
      const nics = [{ networkId: network.id, securityGroupIds: [group.id], ...nic }];
      const { id } = await cloud.instances.create({ name: 'm', instanceType: 'tiny', imageId, nics }).wait({ timeoutMs: 300_000 });
      const [card] = await cloud.nics.list({ where: { instanceId: id } }).toArray();
      const nicId = card?.id as Id<'nic'>;
      const elasticIp = await cloud.elasticIps.create({ externalNetworkId: external.id }).wait();
      await cloud.elasticIps.bind(elasticIp.id, { nicId }).wait();
      return { id, nicId, address: String(elasticIp.address) };
    }

    it('gets no more than that, as much as it likes when it is lifted, and no more again', async () => {
      const { id, nicId, address } = await guestBehind({ limits: { inboundBytesPerSecond: BOUND } });
      const guest = await new CephGuest(lab.host(0), id).booted();
      const look = async () => {
        const text = await guest.shell('cat /proc/uptime /sys/class/net/eth0/statistics/rx_bytes');
        const [uptime = '', bytes = ''] = text.split('\n');
        return { seconds: Number.parseFloat(uptime), bytes: Number(bytes) };
      };
      const outside = await lab.ovn.internet.probe();
      await outside.ask('stream', { id: 'in', address, port: 9, periodMs: 1 });
      /** Windows until one is as it must be: what was queued before a change comes first. */
      const comes = (what: string, isSo: (bytes: number, seconds: number) => boolean) =>
        until(what, async () => {
          const before = await look();
          await sleep(WINDOW_MS);
          const now = await look();
          return isSo(now.bytes - before.bytes, now.seconds - before.seconds) ? true : undefined;
        });
      // A queue lets a little through at once. None of it would be no bound, but a cut.
      const bounded = (bytes: number, seconds: number) => bytes <= BOUND * (seconds + 2) && bytes >= (BOUND * seconds) / 4;
      const more = (bytes: number, seconds: number) => bytes > 3 * BOUND * seconds;
      await comes('the bound it was made with', bounded);
      await cloud.nics.setLimits(nicId, { limits: { inboundBytesPerSecond: 0 } }).wait();
      await comes('more than the bound', more);
      await cloud.nics.setLimits(nicId, { limits: { inboundBytesPerSecond: BOUND } }).wait();
      await comes('the bound again', bounded);
      await outside.ask('gap', { id: 'in' });
      // Started anew libvirt begins again with the names of ports; what it has left of this one is in its way.
      await cloud.instances.stop(id, { force: true }).wait({ timeoutMs: 300_000 });
      await lab.host(0).killDaemon();
      await lab.host(0).startDaemon();
      const name = async () => /vnet\d+/.exec(await virsh(lab.host(0), 'domiflist', id))?.[0] ?? '';
      await cloud.instances.start(id).wait({ timeoutMs: 300_000 });
      const { switch: ovs } = lab.host(0);
      expect([await name(), (await ovs.vsctl('--bare', '--columns=external_ids', 'list', 'qos')).includes('vnet0')]).to.deep.equal([
        'vnet0',
        true,
      ]);
      expect((await ovs.vsctl('get', 'port', 'vnet0', 'qos')).trim(), 'the bound of a port that is called as before').to.match(
        /^[0-9a-f-]{36}$/,
      );
      await cloud.nics.setLimits(nicId, { limits: { inboundBytesPerSecond: 0 } }).wait();
      expect((await ovs.vsctl('--bare', '--columns=_uuid', 'list', 'qos')).trim(), 'queues that are left').to.equal('');
      await cloud.instances.delete(id).wait({ timeoutMs: 300_000 });
    });
  });
