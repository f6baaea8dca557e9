/**
 * Pins protocol.idl to the libvirt that is installed: every procedure that reads is called and its answer decoded to the last byte, and
 * every other procedure is at least known to the daemon, which accepts the layout of its arguments.
 */
import { execFile } from 'node:child_process';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { promisify } from 'node:util';
import {
  AddressSource,
  AffectFlag,
  type Domain,
  LibvirtConnection,
  LibvirtError,
  type LibvirtHost,
  MetadataType,
  type Network,
  type NetworkFilter,
  type Procedure,
  procedures,
  type Secret,
  type Snapshot,
  StartFlag,
  type StoragePool,
  type StorageVolume,
} from '@pileus/drivers-kvm/libvirt';
import { assert, expect } from 'chai';
import { type Field, parseDescription } from '../../../../tools/generate/libvirt-protocol.ts';
import { connectTo, createPool, createVolume, domainUuid, rejection } from './fixtures.ts';
import { PrivateHost } from './private-host.ts';

const root = path.join(import.meta.dirname, '../../../..');

/** What a procedure is called on. */
interface World {
  readonly domain: Domain;
  readonly network: Network;
  readonly filter: NetworkFilter;
  readonly pool: StoragePool;
  readonly volume: StorageVolume;
  readonly secret: Secret;
  readonly snapshot: Snapshot;
}

const mac = '52:54:00:00:00:01';
const networkXml = `<network><name>net</name><bridge name='br-pin'/><ip address='192.0.2.1' netmask='255.255.255.0'><dhcp><range start='192.0.2.2' end='192.0.2.9'/></dhcp></ip></network>`;
const secretXml = `<secret><uuid>01900000-0000-7000-8000-00000000000a</uuid><usage type='volume'><volume>/disk</volume></usage></secret>`;

function domainXml(volumePath: string): string {
  return `<domain type='qemu'>
    <name>pinned</name><uuid>${domainUuid}</uuid><memory unit='MiB'>16</memory><vcpu>1</vcpu>
    <os><type arch='x86_64' machine='pc'>hvm</type></os>
    <devices>
      <disk type='file' device='disk'><source file='${volumePath}'/><target dev='hda' bus='ide'/></disk>
      <interface type='network'><mac address='${mac}'/><source network='net'/><target dev='tap-pin'/></interface>
    </devices>
  </domain>`;
}

/** A guest, paused, with a disk and a NIC, and one of everything else, on the real hypervisor; snapshots come from libvirt's own mock. */
async function createWorld(host: PrivateHost, libvirt: LibvirtHost, mock: LibvirtConnection): Promise<World> {
  const { api } = libvirt;
  const pool = await createPool(libvirt);
  const volume = await createVolume(libvirt, pool, 'disk', 1 << 20);
  const network = await api.networkDefineXmlFlags({ xml: networkXml });
  await api.networkCreate({ network });
  const leases = [{ 'ip-address': '192.0.2.5', 'mac-address': mac, hostname: 'guest', 'client-id': '01:02', 'expiry-time': 4_000_000_000 }];
  await mkdir(path.join(host.directory, 'lib/dnsmasq'), { recursive: true });
  await writeFile(path.join(host.directory, 'lib/dnsmasq/br-pin.status'), JSON.stringify(leases));
  const secret = await api.secretDefineXml({ xml: secretXml });
  const filter = await api.networkFilterDefineXml({ xml: "<filter name='clean'/>" });
  const domain = await api.domainDefineXmlFlags({ xml: domainXml(await api.storageVolGetPath({ volume })) });
  await api.domainSetMetadata({ domain, type: MetadataType.title, metadata: 'A title', flags: AffectFlag.config });
  const started = await api.domainCreateWithFlags({ domain, flags: StartFlag.paused });
  const [mocked] = await mock.api.connectListAllDomains();
  assert(mocked !== undefined);
  const snapshot = await mock.api.domainSnapshotCreateXml({ domain: mocked, xml: '<domainsnapshot><name>snap</name></domainsnapshot>' });
  return { domain: started, network, filter, pool, volume, secret, snapshot };
}

/** One good call of each procedure that reads, by its name. */
function reads({ api }: LibvirtHost, { api: mock }: LibvirtConnection, world: World): Record<string, () => Promise<unknown>> {
  const { domain, network, filter, pool, volume, secret, snapshot } = world;
  const mocked = { domain: snapshot.domain };
  const config = { flags: AffectFlag.config };
  return {
    connectGetType: () => api.connectGetType(),
    connectGetVersion: () => api.connectGetVersion(),
    connectGetLibVersion: () => api.connectGetLibVersion(),
    connectGetHostname: () => api.connectGetHostname(),
    connectGetUri: () => api.connectGetUri(),
    connectIsSecure: () => api.connectIsSecure(),
    connectGetMaxVcpus: () => api.connectGetMaxVcpus({ type: 'qemu' }),
    connectGetSysinfo: () => mock.connectGetSysinfo(),
    connectGetCapabilities: () => api.connectGetCapabilities(),
    connectGetDomainCapabilities: () => api.connectGetDomainCapabilities({ arch: 'x86_64', virtType: 'qemu' }),
    connectGetCpuModelNames: () => api.connectGetCpuModelNames({ arch: 'x86_64' }),
    connectSupportsFeature: () => api.connectSupportsFeature({ feature: 1 }),
    authList: () => api.authList(),
    nodeGetInfo: () => api.nodeGetInfo(),
    nodeGetMemoryStats: () => api.nodeGetMemoryStats({ statsMax: 4, cell: -1 }),
    nodeGetCpuStats: () => api.nodeGetCpuStats({ statsMax: 4, cpu: -1 }),
    nodeGetFreeMemory: () => api.nodeGetFreeMemory(),
    connectListAllDomains: () => api.connectListAllDomains(),
    connectGetAllDomainStats: () => api.connectGetAllDomainStats({ domains: [domain], stats: 0 }),
    domainLookupByUuid: () => api.domainLookupByUuid({ uuid: domain.uuid }),
    domainLookupByName: () => api.domainLookupByName({ name: domain.name }),
    domainLookupById: () => api.domainLookupById({ id: domain.id }),
    domainGetInfo: () => api.domainGetInfo({ domain }),
    domainGetState: () => api.domainGetState({ domain }),
    domainGetControlInfo: () => api.domainGetControlInfo({ domain }),
    domainGetXmlDesc: () => api.domainGetXmlDesc({ domain }),
    domainIsActive: () => api.domainIsActive({ domain }),
    domainIsPersistent: () => api.domainIsPersistent({ domain }),
    domainGetAutostart: () => api.domainGetAutostart({ domain }),
    domainGetMetadata: () => api.domainGetMetadata({ domain, type: MetadataType.title, ...config }),
    domainGetVcpusFlags: () => api.domainGetVcpusFlags({ domain }),
    domainGetMaxMemory: () => api.domainGetMaxMemory({ domain }),
    domainGetSchedulerType: () => mock.domainGetSchedulerType(mocked),
    domainGetSchedulerParametersFlags: () => api.domainGetSchedulerParametersFlags({ domain, ...config }),
    domainGetBlockIoTune: () => api.domainGetBlockIoTune({ domain, disk: 'hda' }),
    domainGetInterfaceParameters: () => api.domainGetInterfaceParameters({ domain, device: mac, ...config }),
    domainBlockStats: () => api.domainBlockStats({ domain, disk: 'hda' }),
    domainInterfaceStats: () => api.domainInterfaceStats({ domain, device: 'tap-pin' }),
    domainMemoryStats: () => api.domainMemoryStats({ domain }),
    domainGetBlockInfo: () => api.domainGetBlockInfo({ domain, disk: 'hda' }),
    domainInterfaceAddresses: () => api.domainInterfaceAddresses({ domain, source: AddressSource.lease }),
    domainHasManagedSaveImage: () => api.domainHasManagedSaveImage({ domain }),
    domainGetJobInfo: () => api.domainGetJobInfo({ domain }),
    domainGetJobStats: () => api.domainGetJobStats({ domain }),
    domainGetBlockJobInfo: () => api.domainGetBlockJobInfo({ domain, disk: 'hda' }),
    domainListAllCheckpoints: () => api.domainListAllCheckpoints({ domain }),
    domainListAllSnapshots: () => mock.domainListAllSnapshots(mocked),
    domainSnapshotLookupByName: () => mock.domainSnapshotLookupByName({ ...mocked, name: 'snap' }),
    domainSnapshotGetXmlDesc: () => mock.domainSnapshotGetXmlDesc({ snapshot }),
    domainGetFsInfo: () => mock.domainGetFsInfo(mocked),
    domainGetTime: () => mock.domainGetTime(mocked),
    connectListAllStoragePools: () => api.connectListAllStoragePools(),
    storagePoolLookupByUuid: () => api.storagePoolLookupByUuid({ uuid: pool.uuid }),
    storagePoolLookupByName: () => api.storagePoolLookupByName({ name: pool.name }),
    storagePoolLookupByVolume: () => api.storagePoolLookupByVolume({ volume }),
    storagePoolLookupByTargetPath: () => api.storagePoolLookupByTargetPath({ path: '/var/lib/libvirt/pool' }),
    storagePoolGetInfo: () => api.storagePoolGetInfo({ pool }),
    storagePoolGetXmlDesc: () => api.storagePoolGetXmlDesc({ pool }),
    storagePoolGetAutostart: () => api.storagePoolGetAutostart({ pool }),
    storagePoolIsActive: () => api.storagePoolIsActive({ pool }),
    storagePoolIsPersistent: () => api.storagePoolIsPersistent({ pool }),
    storagePoolListAllVolumes: () => api.storagePoolListAllVolumes({ pool }),
    storageVolLookupByName: () => api.storageVolLookupByName({ pool, name: volume.name }),
    storageVolLookupByKey: () => api.storageVolLookupByKey({ key: volume.key }),
    storageVolLookupByPath: () => api.storageVolLookupByPath({ path: volume.key }),
    storageVolGetInfo: () => api.storageVolGetInfo({ volume }),
    storageVolGetInfoFlags: () => api.storageVolGetInfoFlags({ volume }),
    storageVolGetXmlDesc: () => api.storageVolGetXmlDesc({ volume }),
    storageVolGetPath: () => api.storageVolGetPath({ volume }),
    connectListAllNetworks: () => api.connectListAllNetworks(),
    networkLookupByUuid: () => api.networkLookupByUuid({ uuid: network.uuid }),
    networkLookupByName: () => api.networkLookupByName({ name: network.name }),
    networkGetXmlDesc: () => api.networkGetXmlDesc({ network }),
    networkGetBridgeName: () => api.networkGetBridgeName({ network }),
    networkGetAutostart: () => api.networkGetAutostart({ network }),
    networkIsActive: () => api.networkIsActive({ network }),
    networkIsPersistent: () => api.networkIsPersistent({ network }),
    networkGetDhcpLeases: () => api.networkGetDhcpLeases({ network }),
    connectListAllNetworkFilters: () => api.connectListAllNetworkFilters(),
    networkFilterLookupByName: () => api.networkFilterLookupByName({ name: filter.name }),
    networkFilterGetXmlDesc: () => api.networkFilterGetXmlDesc({ filter }),
    connectListAllSecrets: () => api.connectListAllSecrets(),
    secretLookupByUuid: () => api.secretLookupByUuid({ uuid: secret.uuid }),
    secretLookupByUsage: () => api.secretLookupByUsage({ usageType: secret.usageType, usageId: secret.usageId }),
    secretGetXmlDesc: () => api.secretGetXmlDesc({ secret }),
  };
}

/** Values that fit the protocol and name nothing that exists. */
function nonsense(field: Field): unknown {
  const uuid = '01900000-0000-7000-8000-0000000000ff';
  const domain = { name: 'nobody', uuid, id: -1 };
  if (field.nullable) return undefined;
  if (field.type === 'bytes') return new Uint8Array([1]);
  if (field.max !== undefined) return [];
  const samples: Readonly<Record<string, unknown>> = {
    Domain: domain,
    StoragePool: { name: 'nobody', uuid },
    Network: { name: 'nobody', uuid },
    NetworkFilter: { name: 'nobody', uuid },
    StorageVolume: { pool: 'nobody', name: 'nobody', key: 'nobody' },
    Secret: { uuid, usageType: 0, usageId: '' },
    Snapshot: { name: 'nobody', domain },
    Checkpoint: { name: 'nobody', domain },
    string: 'nobody',
    uuid,
    bool: false,
  };
  return samples[field.type] ?? 1;
}

describe('the description of libvirt’s protocol', function () {
  this.timeout(300_000);
  let host: PrivateHost;
  let libvirt: LibvirtHost;
  let mock: LibvirtConnection;
  before(async () => {
    host = await PrivateHost.start();
    libvirt = connectTo(host);
    mock = new LibvirtConnection({ address: { kind: 'unix', path: host.socketPath }, uri: 'test:///default' });
  });
  after(async () => {
    await Promise.all([libvirt?.close(), mock?.close()]);
    await host?.[Symbol.asyncDispose]();
  });

  it('is what the generated code was generated from', async () => {
    const generator = path.join(root, 'tools/generate/libvirt-protocol.ts');
    await promisify(execFile)(process.execPath, [generator, '--check']);
  });

  it('decodes the answer of every procedure that reads, to the last byte', async () => {
    const calls = reads(libvirt, mock, await createWorld(host, libvirt, mock));
    const all = Object.values(procedures).filter(({ effect, lane }) => effect === 'read' && lane !== 'stream');
    // It asks the guest's agent, and this guest runs none; its answer is laid out like that of any procedure with typed parameters.
    // Of the others there is nothing to be read without a backup of a disk: disk-backup.test.ts makes some, and goes by what they answer.
    const unanswerable = ['domainGetGuestInfo', 'domainCheckpointGetXmlDesc', 'domainBackupGetXmlDesc'];
    expect(Object.keys(calls).concat(unanswerable)).to.have.members(all.map(({ name }) => name));
    const failures: string[] = [];
    const answers = new Map<string, unknown>();
    for (const [name, call] of Object.entries(calls)) {
      await call().then(
        (answer) => answers.set(name, answer),
        (error: unknown) => failures.push(`${name}: ${error}`),
      );
    }
    expect(failures).to.deep.equal([]);
    expect(answers.get('domainGetMetadata')).to.equal('A title');
    expect(answers.get('domainGetState')).to.deep.equal({ state: 3, reason: 1 });
    expect(answers.get('domainGetBlockInfo')).to.include({ capacityBytes: 1 << 20 });
    expect(answers.get('storageVolGetInfo')).to.include({ type: 0, capacityBytes: 1 << 20 });
    expect(answers.get('networkGetDhcpLeases')).to.deep.equal([
      {
        interfaceName: 'br-pin',
        expiresAtS: 4_000_000_000,
        type: 0,
        mac,
        iaid: undefined,
        address: '192.0.2.5',
        prefix: 24,
        hostname: 'guest',
        clientId: '01:02',
      },
    ]);
    expect(answers.get('domainInterfaceAddresses')).to.deep.equal([
      { name: 'tap-pin', hardwareAddress: mac, addresses: [{ type: 0, address: '192.0.2.5', prefix: 24 }] },
    ]);
  });

  it('names no procedure, and no layout of arguments, that the daemon does not know', async () => {
    const description = parseDescription(await readFile(path.join(root, 'packages/drivers-kvm/src/libvirt/protocol.idl'), 'utf8'));
    // Calling these would spoil the connection that the test speaks through. Every connection made above has called the first.
    const handshake = ['connectOpen', 'connectClose'];
    await using closing = new LibvirtConnection({ address: { kind: 'unix', path: host.socketPath } });
    await closing.api.connectClose();
    for (const line of description.procedures) {
      if (handshake.includes(line.name) || line.lane === 'stream') continue;
      const args = Object.fromEntries(
        line.args.filter((field) => field.constant === undefined).map((field) => [field.name, nonsense(field)]),
      );
      const procedure = Object.values(procedures).find((one) => one.name === line.name) as Procedure<unknown, unknown> | undefined;
      assert(procedure !== undefined);
      const error: unknown = await libvirt.call(procedure, args).catch((failure: unknown) => failure);
      if (error instanceof Error) assert(error instanceof LibvirtError && !error.is('rpc'), `${line.name}: ${error}`);
    }
  });

  it('would notice a procedure that the daemon does not know', async () => {
    const unknown: Procedure<object, unknown> = { ...procedures.connectGetUri, name: 'unknown', number: 9_999 };
    const error = await rejection(libvirt.call(unknown, {}));
    assert(error instanceof LibvirtError);
    expect(error.codeName).to.equal('rpc');
  });
});
