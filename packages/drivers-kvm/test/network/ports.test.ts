import { randomUUID } from 'node:crypto';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Call, NetworkDriver, NetworkSpec, PortSpec } from '@pileus/core/strategy';
import { expect } from 'chai';
import { until } from '../../../../test/lab/waiting.ts';
import { CACHE_DIR } from '../../../../tools/system/ensure.ts';
import { unpackedDir } from '../../../../tools/system/packages.ts';
import { kvm } from '../../src/index.ts';
import { LabBackend, required } from '../conformance/lab-host.ts';

/** The network name space of the card: its name is the whole machine's. */
const GUEST = `pileus-ports-${process.pid}`;
const BUSYBOX = join(unpackedDir(CACHE_DIR, 'busybox-static'), 'bin/busybox');

const call = (): Call => ({ requestId: 'test', signal: new AbortController().signal, timeoutMs: 60_000 });

describe('ports on a real network', function () {
  this.timeout(300_000);
  let backend: LabBackend;
  let driver: NetworkDriver;
  let network: NetworkSpec;

  const on = async (...argv: [string, ...string[]]): Promise<string> => {
    const { exitCode, stdout, stderr } = await backend.labHost.exec(argv);
    if (exitCode !== 0) throw new Error(`${argv.join(' ')}: ${stderr}`);
    return stdout;
  };
  /** A card in the network that is no machine's: a pair of which one end is in the bridge and the other in a name space of its own. */
  const plugCard = async (): Promise<void> => {
    const bridge = /bridge name='([^']+)'/.exec(await backend.virsh('net-dumpxml', network.id))?.[1] ?? '';
    await on('ip', 'netns', 'add', GUEST);
    await on('ip', 'link', 'add', 'card0', 'type', 'veth', 'peer', 'name', 'eth0', 'netns', GUEST);
    await on('ip', 'link', 'set', 'card0', 'master', bridge, 'up');
  };
  /** What DHCP gives to a MAC: the address, or undefined when it gives none. */
  const askDhcp = async (mac: string): Promise<string | undefined> => {
    await on('ip', '-n', GUEST, 'link', 'set', 'eth0', 'down', 'address', mac);
    await on('ip', '-n', GUEST, 'link', 'set', 'eth0', 'up');
    const client = [BUSYBOX, 'udhcpc', '-f', '-n', '-q', '-i', 'eth0', '-s', '/bin/true', '-t', '4', '-T', '1'];
    const { stderr } = await backend.labHost.exec(['ip', 'netns', 'exec', GUEST, ...client]);
    return /lease of (\S+) obtained/.exec(stderr)?.[1];
  };
  /** dnsmasq hears of a change after libvirt has said that it is made. */
  const leaseOf = (mac: string): Promise<string> => until(`a lease for ${mac}`, () => askDhcp(mac));
  const port = (change: Partial<PortSpec>): PortSpec => ({
    nicId: randomUUID(),
    networkId: network.id,
    mac: '52:54:00:82:00:02',
    addresses: ['10.82.0.2'],
    subnetIds: network.subnets.map(({ id }) => id),
    owner: network.owner,
    ...change,
  });

  before(async () => {
    backend = await LabBackend.up();
    driver = required(kvm().strategies.network).open({ host: backend.host });
    const subnets = [
      { id: randomUUID(), cidr: 'fd82::/64', gateway: 'fd82::1', dnsServers: [] },
      { id: randomUUID(), cidr: '10.82.0.0/24', gateway: '10.82.0.1', dnsServers: ['192.0.2.53'] },
      { id: randomUUID(), cidr: '10.83.0.0/24', gateway: '10.83.0.1', dnsServers: ['192.0.2.53'] },
    ];
    network = { id: randomUUID(), name: 'n', owner: 'o', mode: 'isolated', subnets, domain: 'cloud.example' };
    await driver.ensureNetwork(network, call());
    await plugCard();
  });

  after(async () => {
    await driver?.close();
    await backend?.labHost.exec(['ip', 'netns', 'del', GUEST]);
    await backend?.close();
  });

  it('gives the address to its MAC, to no other, and at once to the next MAC that has it', async () => {
    const [first, second] = [port({}), port({ mac: '52:54:00:82:00:03' })];
    await driver.ensurePort(first, call());
    expect(await askDhcp(second.mac)).to.equal(undefined);
    expect(await leaseOf(first.mac)).to.equal('10.82.0.2');
    await driver.deletePort(first, call());
    await driver.ensurePort(second, call());
    expect(await leaseOf(second.mac)).to.equal('10.82.0.2');
    await driver.deletePort(second, call());
    expect((await driver.inspectNetwork(network.id, call()))?.nicIds).to.deep.equal([]);
  });

  it('answers for names, and a name that two ports want belongs to the first', async () => {
    const [first, second] = [port({ hostname: 'web' }), port({ hostname: 'web', mac: '52:54:00:82:00:03', addresses: ['10.82.0.3'] })];
    await driver.ensurePort(first, call());
    await driver.ensurePort(second, call());
    const answer = await until('an answer', async () => {
      const { stdout } = await backend.labHost.exec([BUSYBOX, 'nslookup', '-type=a', 'web.cloud.example', '10.82.0.1']);
      return /Address:\s*10\.82\.0\.\d+\s/.test(stdout) ? stdout : undefined;
    });
    expect(answer)
      .to.match(/Address:\s*10\.82\.0\.2\s/)
      .and.not.include('10.82.0.3');
    for (const each of [first, second]) await driver.deletePort(each, call());
  });

  it('keeps addresses of every subnet and family, and takes all of them away', async () => {
    const many = port({ addresses: ['fd82::0:5', '10.82.0.5', '10.83.0.5'] });
    for (let round = 0; round < 2; round += 1) await driver.ensurePort(many, call());
    const xml = await backend.virsh('net-dumpxml', network.id);
    for (const address of ['fd82::5', '10.82.0.5', '10.83.0.5']) expect(xml).to.include(`<host ip='${address}'>`);
    expect(xml).to.include(`<host mac='${many.mac}' ip='10.82.0.5'/>`).and.not.include(`ip='10.83.0.5'/>`);
    expect((await driver.inspectNetwork(network.id, call()))?.nicIds).to.deep.equal([many.nicId]);
    await driver.deletePort(many, call());
    for (const part of [[], ['--inactive']])
      expect(await backend.virsh('net-dumpxml', network.id, ...part)).not.to.match(/<host (ip|mac)=/);
  });

  it('puts back what was taken away behind its back, in the definition or while it runs', async () => {
    const spec = port({ addresses: ['10.82.0.7'] });
    await driver.ensurePort(spec, call());
    const entry = `<host mac='${spec.mac}' ip='10.82.0.7'/>`;
    for (const part of ['--live', '--config']) {
      await backend.virsh('net-update', network.id, 'delete', 'ip-dhcp-host', entry, part, '--parent-index', '1');
      await driver.ensurePort(spec, call());
    }
    for (const part of [[], ['--inactive']]) expect(await backend.virsh('net-dumpxml', network.id, ...part)).to.include(entry);
    await driver.deletePort(spec, call());
  });

  it('refuses to restart a network under the machines in it', async () => {
    const path = join(backend.lab.sharedDir, 'd.xml');
    await writeFile(
      path,
      `<domain type='qemu'><name>d</name><memory unit='MiB'>32</memory><os><type arch='x86_64' machine='q35'>hvm</type></os>
       <devices><interface type='network'><source network='pileus-${network.id}'/></interface></devices></domain>`,
    );
    await backend.virsh('define', path);
    await backend.virsh('start', 'd');
    const fault = await driver.ensureNetwork({ ...network, domain: 'other.example' }, call()).catch((error) => driver.classify(error));
    expect(fault).to.equal('conflict');
    expect(await backend.virsh('net-dumpxml', network.id, '--inactive')).not.to.include('other.example');
    // A new name needs no restart.
    await driver.ensureNetwork({ ...network, name: 'renamed' }, call());
    expect(await driver.inspectNetwork(network.id, call())).to.include({ name: 'renamed', active: true });
    await backend.virsh('destroy', 'd');
    await driver.ensureNetwork({ ...network, domain: 'other.example' }, call());
    expect(await backend.virsh('net-dumpxml', network.id)).to.include('other.example');
  });
});
