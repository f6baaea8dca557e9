import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fingerprintOf } from '@pileus/core/node';
import { connect, type Id } from '@pileus/sdk';
import { expect } from 'chai';
import { selfSigned } from '../../../packages/drivers-kvm/test/self-signed.ts';
import { type AgentProcess, eventually } from '../../../packages/server/test/agent/agent-process.ts';
import { ServerProcess } from '../../../tools/demo/server-process.ts';
import { buildGuestImage } from '../../../tools/guest/image.ts';
import { CACHE_DIR, ensureSystem } from '../../../tools/system/ensure.ts';
import { TEST_PACKAGES } from '../../../tools/system/packages.ts';
import { FULL } from '../../../tools/test/slice.ts';
import { type Lab, labUp } from '../../lab/lab.ts';
import { PHYSICAL_NETWORK } from '../../lab/ovn/host-switch.ts';
import { EXTERNAL } from '../../lab/ovn/internet.ts';
import { networkInventory } from '../../lab/ovn/inventory.ts';
import { until } from '../../lab/waiting.ts';
import { CephGuest } from '../storage/ceph-guest.ts';
import { agentOn, namespacesOf } from './host-agents.ts';

const MIB = 2 ** 20;
const BOOT = { timeoutMs: 400_000 };
const METADATA = 'http://169.254.169.254';

interface Guest {
  readonly id: Id<'instance'>;
  readonly nicId: Id<'nic'>;
  readonly address: string;
  readonly mac: string;
  readonly inside: CephGuest;
}

/** The real server, libvirt, OVN and agents on two hosts, and in the guests their own system: all that tenants have of a network comes together. */
if (FULL)
  describe('guests of QEMU on two hosts of OVN', function () {
    this.timeout(1_200_000);
    const made = new AsyncDisposableStack();
    let lab: Lab;
    let cloud: ReturnType<typeof connect>;
    let agents: readonly AgentProcess[];
    let empty: readonly string[];
    let external: Id<'network'>;
    let guests: readonly [Guest, Guest];

    before(async () => {
      expect(await ensureSystem({ log: () => {}, also: TEST_PACKAGES })).to.deep.equal({ ok: true });
      lab = made.adopt(await labUp({ hosts: 2, ovn: true }), (each) => each.down());
      const dir = made.adopt(await mkdtemp('/tmp/pileus-guests-'), (path) => rm(path, { recursive: true, force: true }));
      const identity = await selfSigned();
      const [certFile, keyFile] = [join(dir, 'agents.pem'), join(dir, 'agents.key')];
      await Promise.all([writeFile(certFile, identity.cert), writeFile(keyFile, identity.key)]);
      const { northbound, southbound } = lab.ovn;
      const databases = { northbound: [{ kind: 'tcp', ...northbound }], southbound: [{ kind: 'tcp', ...southbound }] };
      const plugins = [
        { module: '@pileus/drivers-kvm', export: 'kvm', options: { virtType: 'tcg', vncSocketDir: dir, cpuShares: false } },
        { module: '@pileus/drivers-ovs/ovn', export: 'ovn', options: databases },
      ];
      // From here agents tell nobody: they are asked.
      const link = { certFile, keyFile, callbackUrl: 'https://192.0.2.1' };
      const config = { kvm: { enabled: false }, plugins, agents: link, hosts: { heartbeatSeconds: 1 } };
      const server = made.adopt(await ServerProcess.start({ dir: join(dir, 'server'), config }), (each) => each.kill());
      agents = await Promise.all(
        lab.hosts.map(async (host) => made.adopt(await agentOn(host, identity), (each) => each.close().then(() => undefined))),
      );
      cloud = connect({ url: server.url, apiKey: server.apiKey });
      guests = await populate();
    });
    after(() => made.disposeAsync());

    async function populate(): Promise<readonly [Guest, Guest]> {
      const zone = await cloud.zones.create({ name: 'lab' }).wait();
      const cluster = await cloud.clusters.create({ name: 'lab', zoneId: zone.id, allowEmulation: true, vcpuOvercommit: 64 }).wait();
      const hostIds: Id<'host'>[] = [];
      for (const [index, { name, socketPath }] of lab.hosts.entries()) {
        const uri = `qemu+unix:///system?socket=${socketPath}`;
        const { id: hostId } = await cloud.hosts.create({ name, clusterId: cluster.id, uri }).wait();
        await cloud.pools.create({ name: `pool-${name}`, hostId, settings: { path: '/var/lib/libvirt/images/pool' } }).wait();
        const { url, identity } = agents[index] as AgentProcess;
        await cloud.agents.create({ hostId, url, fingerprint: fingerprintOf(identity.cert) }).wait();
        hostIds.push(hostId);
      }
      await cloud.instanceTypes.create({ name: 'tiny', vcpus: 1, memoryBytes: 96 * MIB }).wait();
      const image = await buildGuestImage({ cacheDir: CACHE_DIR, log: () => {} });
      const { id: imageId } = await cloud.images.create({ name: 'guest' }).wait();
      await cloud.images.upload(imageId, await readFile(image.path), { sha256: image.sha256 });
      empty = await networkInventory(lab);
      const wire = { clusterId: cluster.id, label: PHYSICAL_NETWORK, role: 'external' } as const;
      const physicalNetworkId = (await cloud.physicalNetworks.create(wire).wait()).id;
      const outside = [{ cidr: EXTERNAL.cidr, gateway: EXTERNAL.gateway }];
      external = (await cloud.networks.create({ name: 'external', physicalNetworkId, vlanId: 0, subnets: outside }).wait()).id;
      const vpc = await cloud.vpcs.create({ name: 'shop' }).wait();
      const network = await cloud.networks.create({ name: 'lan', vpcId: vpc.id, subnets: [{ cidr: '10.0.0.0/24' }] }).wait();
      await cloud.natGateways.create({ name: 'out', vpcId: vpc.id, externalNetworkId: external }).wait();
      const booting = hostIds.map(async (hostId, index): Promise<Guest> => {
        const request = { name: `g${index}`, instanceType: 'tiny', imageId, hostId, nics: [{ networkId: network.id }] };
        const { id } = await cloud.instances.create(request).wait(BOOT);
        const [nic] = await cloud.nics.list({ where: { instanceId: id } }).toArray();
        const inside = await new CephGuest(lab.host(index), id).booted();
        return { id, nicId: nic?.id as Id<'nic'>, address: String(nic?.address), mac: String(nic?.mac), inside };
      });
      return (await Promise.all(booting)) as [Guest, Guest];
    }

    /** What a guest is told at an address, once it is told anything. */
    const fetched = ({ inside }: Guest, url: string) =>
      until(url, async () => {
        const { exitCode, output } = await inside.attempt('timeout', '20', 'wget', '-q', '-O', '-', url);
        return exitCode === 0 ? output : undefined;
      });
    const pairs = () => [guests, [guests[1], guests[0]]] as const;

    it('have their own address by DHCP, and read each other’s pages over the tunnel', async () => {
      for (const [from, to] of pairs()) {
        expect(await from.inside.shell('ip -4 -oneline addr show dev eth0')).to.include(` ${from.address}/24 `);
        expect(await fetched(from, `http://${to.address}/`)).to.include(to.mac);
      }
    });

    it('read their metadata, with a token and without, each its own', async () => {
      for (const guest of guests) {
        const { id, inside } = guest;
        expect(JSON.parse(await fetched(guest, `${METADATA}/openstack/latest/meta_data.json`)).uuid).to.equal(id);
        const path = '/latest/meta-data/instance-id';
        expect((await inside.attempt('wget', '-q', '-O', '-', `${METADATA}${path}`)).exitCode, 'without a token').to.not.equal(0);
        const words = ['PUT /latest/api/token HTTP/1.1', 'Host: 169.254.169.254', 'X-aws-ec2-metadata-token-ttl-seconds: 60'];
        const request = [...words, 'Content-Length: 0', 'Connection: close', '', ''].join('\\r\\n');
        const answer = await inside.shell(`printf '${request}' | nc 169.254.169.254 80`);
        expect(answer).to.match(/^HTTP\/1.1 200 /);
        const token = /\r?\n\r?\n(\S+)/.exec(answer)?.[1] ?? '';
        const shown = `wget -q -O - --header 'X-aws-ec2-metadata-token: ${token}' ${METADATA}${path}`;
        expect(await inside.shell(shown)).to.equal(id);
      }
    });

    it('find each other by name, and no longer one that is not there', async () => {
      for (const [index, [from, to]] of pairs().entries()) {
        const { inside } = from;
        const ask = (name: string) => inside.attempt('nslookup', '-type=a', name);
        const told = await until('the name', async () => {
          const { output } = await ask(`g${1 - index}.shop.internal`);
          return /^Address: (\S+)$/m.exec(output)?.[1];
        });
        expect(told).to.equal(to.address);
        expect((await ask('nobody.shop.internal')).output).to.match(/NXDOMAIN/);
      }
    });

    it('are reached by an elastic IP by what it lets in, and leave by it', async () => {
      const [guest, other] = guests;
      const [vpc] = await cloud.vpcs.list().toArray();
      const elasticIp = await cloud.elasticIps.create({ externalNetworkId: external, distributed: true }).wait();
      await cloud.elasticIps.bind(elasticIp.id, { nicId: guest.nicId }).wait();
      const address = String(elasticIp.address);
      const outside = await lab.ovn.internet.probe();
      const seen = async () => {
        const answer = await outside.ask('get', { url: `http://${address}/`, timeoutMs: 5_000 });
        return 'body' in answer ? answer.body : undefined;
      };
      const seenAs = (from: Guest, as: string) =>
        until(`the way out as ${as}`, async () => ((await fetched(from, `http://${EXTERNAL.web}/`)).includes(as) ? true : undefined));
      await seenAs(guest, address);
      const [gateway] = await cloud.natGateways.list().toArray();
      await seenAs(other, String(gateway?.address));
      // Nothing comes in by itself.
      expect(await seen()).to.equal(undefined);
      const group = await cloud.securityGroups.create({ vpcId: vpc?.id as Id<'vpc'>, name: 'web' }).wait();
      const rule = { direction: 'inbound', protocol: 'tcp', firstPort: 80, lastPort: 80, cidrs: ['0.0.0.0/0'] } as const;
      await cloud.securityGroupRules.create({ securityGroupId: group.id, ...rule }).wait();
      await cloud.securityGroupMembers.create({ securityGroupId: group.id, nicId: guest.nicId }).wait();
      expect(await until('the page from outside', seen)).to.include(guest.mac);
    });

    it('leave nothing in OVN, on the switches and by the agents', async () => {
      for (const { id } of guests) await cloud.instances.delete(id).wait(BOOT);
      for (const each of await cloud.elasticIps.list().toArray()) await cloud.elasticIps.delete(each.id).wait();
      for (const each of await cloud.natGateways.list().toArray()) await cloud.natGateways.delete(each.id).wait();
      for (const each of await cloud.networks.list().toArray()) await cloud.networks.delete(each.id).wait();
      for (const each of await cloud.vpcs.list().toArray()) await cloud.vpcs.delete(each.id).wait();
      const left = async () => (await networkInventory(lab)).filter((line) => !empty.includes(line));
      await until('the end of all rows', async () => {
        await Promise.all(lab.hosts.map((host) => host.switch.unplugNeedless()));
        return (await left()).length === 0 ? true : undefined;
      }).catch(async () => expect(await left()).to.deep.equal([]));
      await eventually(
        () => Promise.all(agents.map(namespacesOf)),
        (all) => all.every((names) => names.length === 0),
      );
    });
  });
