import { randomUUID } from 'node:crypto';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { connect, type Id } from '@pileus/sdk';
import { expect } from 'chai';
import { bridgeName } from '../../../packages/drivers-ovs/src/plain/names.ts';
import { ServerProcess } from '../../../tools/demo/server-process.ts';
import { buildGuestImage } from '../../../tools/guest/image.ts';
import { CACHE_DIR, ensureSystem } from '../../../tools/system/ensure.ts';
import { NfsServer } from '../../../tools/system/nfs-server.ts';
import { TEST_PACKAGES } from '../../../tools/system/packages.ts';
import { FULL } from '../../../tools/test/slice.ts';
import { type Lab, labUp } from '../../lab/lab.ts';
import { LabMachine } from '../../lab/ovn/machine.ts';
import { expectNoPlainTraces, plainTunnels } from '../../lab/ovn/plain-mesh.ts';
import { until } from '../../lab/waiting.ts';
import { CephGuest } from '../storage/ceph-guest.ts';

const MIB = 2 ** 20;
const WITNESS = '172.31.1.200';
/** What it says on one connection, and what has come back of it. */
const SPEAK = `(while :; do echo .; usleep 50000; done) | nc ${WITNESS} 80 >/run/echo`;

/** The real server with its drivers for libvirt and for Open vSwitch alone, guests of QEMU, and packets to and from them. */
if (FULL)
  describe('a guest of QEMU that migrates on a network of Open vSwitch alone', function () {
    this.timeout(900_000);
    const made = new AsyncDisposableStack();
    let lab: Lab;
    let cloud: ReturnType<typeof connect>;
    let hostIds: readonly Id<'host'>[] = [];

    before(async () => {
      expect(await ensureSystem({ log: () => {}, also: TEST_PACKAGES })).to.deep.equal({ ok: true });
      lab = made.adopt(await labUp({ hosts: 3, ovn: true }), (each) => each.down());
      const nfs = made.use(await NfsServer.start({ netns: lab.name }));
      await writeFile(join(nfs.folder, 'pileus-pool'), '');
      const dir = made.adopt(await mkdtemp('/tmp/pileus-guest-goes-'), (path) => rm(path, { recursive: true, force: true }));
      const switches = Object.fromEntries(lab.hosts.map((host) => [host.name, { kind: 'unix', path: host.switch.socketPath }]));
      const plugins = [
        { module: '@pileus/drivers-kvm', export: 'kvm', options: { virtType: 'tcg', vncSocketDir: dir, cpuShares: false } },
        { module: '@pileus/drivers-ovs/openvswitch', export: 'openVswitch', options: { switches } },
      ];
      const config = { kvm: { enabled: false }, plugins, hosts: { heartbeatSeconds: 0.5 }, log: { level: 'debug' } };
      const server = made.adopt(await ServerProcess.start({ dir: join(dir, 'server'), config }), (each) => each.kill());
      cloud = connect({ url: server.url, apiKey: server.apiKey });
      const zone = await cloud.zones.create({ name: 'lab' }).wait();
      const cluster = await cloud.clusters.create({ name: 'lab', zoneId: zone.id, allowEmulation: true, vcpuOvercommit: 64 }).wait();
      for (const { name, socketPath } of lab.hosts) {
        const uri = `qemu+unix:///system?socket=${socketPath}`;
        hostIds = [...hostIds, (await cloud.hosts.create({ name, clusterId: cluster.id, uri }).wait()).id];
      }
      await cloud.pools
        .create({ name: 'filer', driver: 'nfs', zoneId: zone.id, settings: { server: lab.fabricAddress, export: nfs.folder } })
        .wait();
      await cloud.instanceTypes.create({ name: 'tiny', vcpus: 1, memoryBytes: 96 * MIB }).wait();
    });
    after(() => made.disposeAsync());

    it('is spoken to and speaks all the way, and its old host keeps nothing of it', async () => {
      const [first] = await cloud.clusters.list().toArray();
      const overlay = { clusterId: first?.id as Id<'cluster'>, label: 'overlay', role: 'tenant', encapsulation: 'vxlan' } as const;
      const physicalNetworkId = (
        await cloud.physicalNetworks.create({ ...overlay, firstTunnelKey: 9_200_000, lastTunnelKey: 9_200_009 }).wait()
      ).id;
      const subnets = [{ cidr: '172.31.1.0/24', gateway: '172.31.1.1' }];
      const network = await cloud.networks.create({ name: 'lan', physicalNetworkId, subnets }).wait();
      const image = await buildGuestImage({ cacheDir: CACHE_DIR, log: () => {} });
      const { id: imageId } = await cloud.images.create({ name: 'guest' }).wait();
      await cloud.images.upload(imageId, await readFile(image.path), { sha256: image.sha256 });
      const request = { name: 'm', instanceType: 'tiny', imageId, hostId: hostIds[0], nics: [{ networkId: network.id }] };
      const instance = await cloud.instances.create(request).wait({ timeoutMs: 300_000 });
      const [nic] = await cloud.nics.list({ where: { instanceId: instance.id } }).toArray();
      const [address, mac] = [String(nic?.address), String(nic?.mac)];

      // On the third host, plugged in by somebody else: the mesh takes it in.
      const plug = { interfaceId: randomUUID(), bridge: bridgeName(network.id) };
      const witness = await LabMachine.plug(lab.host(2), { name: 'witness', mac: '02:00:00:00:31:01', plug });
      await witness.take(`${WITNESS}/24`);
      const probe = await witness.probe();
      await probe.serve({ protocol: 'tcp', port: 80 });
      let guest = await new CephGuest(lab.host(0), instance.id).booted();
      // Nobody answers DHCP on such a network.
      await guest.shell(`killall udhcpc; ip addr replace ${address}/24 dev eth0`);
      const answers = (when: string) =>
        until(`the guest ${when}`, async () => {
          const answer = await probe.ask('get', { url: `http://${address}/`, timeoutMs: 5_000 });
          return 'body' in answer && answer.body.includes(mac) ? true : undefined;
        });
      await answers('before it moves');
      await guest.begin(SPEAK);
      const echoed = async () => Number(await guest.shell('wc -c </run/echo'));
      const speaks = async (when: string) => {
        const before = await echoed();
        await until(`what it says ${when}`, async () => ((await echoed()) > before + 20 ? true : undefined));
      };
      await speaks('before it moves');
      const boot = await guest.run('cat', '/proc/sys/kernel/random/boot_id');

      for (const [from, to] of [
        [0, 1],
        [1, 0],
      ] as const) {
        await cloud.instances.migrate(instance.id, { hostId: hostIds[to] }).wait({ timeoutMs: 300_000 });
        guest = await new CephGuest(lab.host(to), instance.id).booted();
        expect(await guest.run('cat', '/proc/sys/kernel/random/boot_id')).to.equal(boot);
        await speaks(`on ${lab.host(to).name}`);
        await answers(`on ${lab.host(to).name}`);
        await expectNoPlainTraces(lab.host(from), network, mac);
        expect(await lab.host(from).switch.ports()).to.not.include('vnet0');
        expect(await plainTunnels(lab.host(2))).to.deep.equal([lab.host(to).name]);
        expect(await plainTunnels(lab.host(to))).to.deep.equal(['hv3']);
      }

      await witness.unplug();
      await cloud.instances.delete(instance.id).wait({ timeoutMs: 300_000 });
      await cloud.networks.delete(network.id).wait();
      for (const host of lab.hosts) expect(await host.switch.vsctl('list-br')).to.not.match(/^pn/m);
    });
  });
