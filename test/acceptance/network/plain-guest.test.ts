import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { connect } from '@pileus/sdk';
import { expect } from 'chai';
import { ServerProcess } from '../../../tools/demo/server-process.ts';
import { buildGuestImage } from '../../../tools/guest/image.ts';
import { CACHE_DIR, ensureSystem } from '../../../tools/system/ensure.ts';
import { TEST_PACKAGES } from '../../../tools/system/packages.ts';
import { FULL } from '../../../tools/test/slice.ts';
import { type Lab, labUp } from '../../lab/lab.ts';
import { EXTERNAL_BRIDGE, PHYSICAL_NETWORK } from '../../lab/ovn/host-switch.ts';
import { LabMachine } from '../../lab/ovn/machine.ts';
import { until } from '../../lab/waiting.ts';
import { CephGuest } from '../storage/ceph-guest.ts';

const MIB = 2 ** 20;
const START = { timeoutMs: 300_000 } as const;

/** Nobody answers DHCP there, so it takes a guest that reads its seed; and libvirt, which plugs it in. */
if (FULL)
  describe('a guest of QEMU on Open vSwitch alone', function () {
    this.timeout(900_000);
    const made = new AsyncDisposableStack();
    let lab: Lab;
    let cloud: ReturnType<typeof connect>;

    before(async () => {
      expect(await ensureSystem({ log: () => {}, also: TEST_PACKAGES })).to.deep.equal({ ok: true });
      lab = made.adopt(await labUp({ hosts: 1, ovn: true }), (each) => each.down());
      const dir = made.adopt(await mkdtemp('/tmp/pileus-plain-guest-'), (path) => rm(path, { recursive: true, force: true }));
      const host = lab.host(0);
      const switches = { [host.name]: { kind: 'unix', path: host.switch.socketPath } };
      const plugins = [
        { module: '@pileus/drivers-kvm', export: 'kvm', options: { virtType: 'tcg', vncSocketDir: dir, cpuShares: false } },
        { module: '@pileus/drivers-ovs/openvswitch', export: 'openVswitch', options: { switches } },
      ];
      const config = { kvm: { enabled: false }, plugins, hosts: { heartbeatSeconds: 0.5 } };
      const server = made.adopt(await ServerProcess.start({ dir: join(dir, 'server'), config }), (each) => each.kill());
      cloud = connect({ url: server.url, apiKey: server.apiKey });
    });
    after(() => made.disposeAsync());

    it('has its address, its way out and its resolver from its seed, and leaves no queues when it is off', async () => {
      const host = lab.host(0);
      const zone = await cloud.zones.create({ name: 'lab' }).wait();
      const cluster = await cloud.clusters.create({ name: 'lab', zoneId: zone.id, allowEmulation: true }).wait();
      const { id: hostId } = await cloud.hosts
        .create({ name: 'hv1', clusterId: cluster.id, uri: `qemu+unix:///system?socket=${host.socketPath}` })
        .wait();
      await cloud.pools.create({ name: 'pool', hostId, settings: { path: '/var/lib/libvirt/images/pool' } }).wait();
      await cloud.instanceTypes.create({ name: 'tiny', vcpus: 1, memoryBytes: 96 * MIB }).wait();
      const physical = await cloud.physicalNetworks
        .create({ clusterId: cluster.id, label: PHYSICAL_NETWORK, role: 'tenant', firstVlanId: 27, lastVlanId: 27 })
        .wait();
      const subnets = [{ cidr: '172.27.0.0/24', gateway: '172.27.0.1', dnsServers: ['172.27.0.53'] }];
      const network = await cloud.networks.create({ name: 'wire', physicalNetworkId: physical.id, vlanId: 27, subnets }).wait();
      const image = await buildGuestImage({ cacheDir: CACHE_DIR, log: () => {} });
      const { id: imageId } = await cloud.images.create({ name: 'guest' }).wait();
      await cloud.images.upload(imageId, await readFile(image.path), { sha256: image.sha256 });
      const nics = [{ networkId: network.id, address: '172.27.0.9', limits: { inboundBytesPerSecond: MIB } }];
      const { id } = await cloud.instances.create({ name: 'm', instanceType: 'tiny', imageId, nics }).wait(START);
      const guest = await new CephGuest(host, id).booted();
      expect(await guest.shell('ip -4 -o addr show eth0; ip route')).to.match(
        /inet 172\.27\.0\.9\/24[\s\S]*default via 172\.27\.0\.1 dev eth0/,
      );
      expect(await guest.shell('cat /seed/network-config')).to.include('addresses: ["172.27.0.53"]');
      const wires = { name: 'router', mac: '02:00:00:00:27:01', plug: { bridge: EXTERNAL_BRIDGE, vlan: 27 } };
      const router = await LabMachine.plug(host, wires);
      await router.take('172.27.0.1/24');
      expect(await router.pings('172.27.0.9')).to.equal(true);
      await router.unplug();

      const rows = async (table: string) =>
        (await host.switch.vsctl('--bare', '--columns=_uuid', 'list', table)).split('\n').filter(Boolean);
      const there = async () => [(await rows('qos')).length, (await rows('queue')).length];
      const isBounded = async () => {
        const ports = await host.switch.vsctl('--format=csv', '--no-headings', '--columns=name,qos', 'list', 'port');
        return ports.split('\n').some((line) => /^vnet\d+,[0-9a-f-]{36}$/.test(line));
      };
      expect([await there(), await isBounded()]).to.deep.equal([[1, 1], true]);
      for (const off of ['of its own accord', 'by force']) {
        if (off === 'by force') await cloud.instances.stop(id, { force: true }).wait(START);
        else await guest.begin('poweroff -f');
        await until(`no queues of a machine that went off ${off}`, async () =>
          (await there()).every((count) => count === 0) ? true : undefined,
        );
        await until('the machine known to be off', async () => ((await cloud.instances.get(id)).state === 'stopped' ? true : undefined));
        await cloud.instances.start(id).wait(START);
        expect([await there(), await isBounded()], `again, after it went off ${off}`).to.deep.equal([[1, 1], true]);
        if (off === 'of its own accord') await guest.booted();
      }
      await cloud.instances.delete(id).wait(START);
      await until('no queues of a machine that is gone', async () => ((await there()).every((count) => count === 0) ? true : undefined));
    });
  });
