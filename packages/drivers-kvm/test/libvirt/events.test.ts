import net from 'node:net';
import path from 'node:path';
import { AffectFlag, type Domain, type DomainEvent, type LibvirtHost, MetadataType, StartFlag } from '@pileus/drivers-kvm/libvirt';
import { expect } from 'chai';
import { connectTo, domainUuid, record, writeEchoDisk } from './fixtures.ts';
import { PrivateHost } from './private-host.ts';

const domainXml = (disk: string): string => `<domain type='qemu'>
  <name>eventful</name><uuid>${domainUuid}</uuid><memory unit='MiB'>16</memory><vcpu>1</vcpu>
  <os><type arch='x86_64' machine='pc'>hvm</type></os>
  <devices>
    <disk type='file' device='disk'><source file='${disk}'/><target dev='hda' bus='ide'/></disk>
    <channel type='unix'><target type='virtio' name='org.qemu.guest_agent.0'/></channel>
    <graphics type='vnc'><listen type='socket' socket='/var/lib/libvirt/images/vnc'/></graphics>
    <video><model type='vga'/></video>
  </devices>
</domain>`;

type Of<K extends DomainEvent['kind']> = Extract<DomainEvent, { readonly kind: K }>;

describe('events of a domain', function () {
  this.timeout(300_000);
  let host: PrivateHost;
  let libvirt: LibvirtHost;
  let domain: Domain;
  before(async () => {
    host = await PrivateHost.start();
    libvirt = connectTo(host);
    await libvirt.ready();
    const { until } = record(libvirt);
    const defined = await libvirt.api.domainDefineXmlFlags({ xml: domainXml(await writeEchoDisk(host)) });
    domain = await libvirt.api.domainCreateWithFlags({ domain: defined, flags: StartFlag.paused });
    await until((event) => event.kind === 'lifecycle');
  });
  after(async () => {
    await libvirt?.close();
    await host?.[Symbol.asyncDispose]();
  });

  /** The first event of a kind that comes of doing something. */
  async function heard<K extends DomainEvent['kind']>(kind: K, doing: () => Promise<unknown>): Promise<Of<K>> {
    const { until } = record(libvirt);
    await doing();
    const event = await until((candidate) => candidate.kind === kind);
    expect(event).to.have.nested.property('domain.uuid', domainUuid);
    return event as Of<K>;
  }

  it('tell of changed metadata', async () => {
    const event = await heard('metadataChange', () =>
      libvirt.api.domainSetMetadata({ domain, type: MetadataType.title, metadata: 'new', flags: AffectFlag.config }),
    );
    expect(event).to.include({ type: MetadataType.title, uri: undefined });
  });

  it('tell of changed limits, as typed parameters', async () => {
    const params = [{ field: 'total_iops_sec', type: 'ullong', value: 500 }] as const;
    const event = await heard('tunable', () => libvirt.api.domainSetBlockIoTune({ domain, disk: 'hda', params, flags: AffectFlag.live }));
    expect(event.params).to.include({ 'blkdeviotune.disk': 'hda', 'blkdeviotune.total_iops_sec': 500 });
  });

  it('tell of a device that comes and goes', async () => {
    const xml = `<input type='tablet' bus='usb'><alias name='ua-tablet'/></input>`;
    const added = await heard('deviceAdded', () => libvirt.api.domainAttachDeviceFlags({ domain, xml, flags: AffectFlag.live }));
    expect(added.deviceAlias).to.equal('ua-tablet');
    const removed = await heard('deviceRemoved', () =>
      libvirt.api.domainDetachDeviceAlias({ domain, alias: 'ua-tablet', flags: AffectFlag.live }),
    );
    expect(removed.deviceAlias).to.equal('ua-tablet');
  });

  it('tell of a viewer', async () => {
    const viewer = net.connect({ path: path.join(host.directory, 'lib/images/vnc') });
    const event = await heard('graphics', async () => viewer.on('error', () => {}));
    viewer.destroy();
    expect(event).to.include({ phase: 0 });
    expect(event.subject).to.be.an('array');
  });

  it('tell of a reset', async () => {
    await heard('reboot', async () => {
      await libvirt.api.domainResume({ domain });
      await libvirt.api.domainReset({ domain });
    });
  });

  it('tell of a block job', async () => {
    await libvirt.api.domainUndefineFlags({ domain });
    const destinationXml = `<disk type='file'><source file='/var/lib/libvirt/images/copy.img'/><driver type='raw'/></disk>`;
    const event = await heard('blockJob', () => libvirt.api.domainBlockCopy({ domain, disk: 'hda', destinationXml, params: [] }));
    expect(event).to.deep.include({ disk: 'hda', type: 2, status: 3 });
    await libvirt.api.domainBlockJobAbort({ domain, disk: 'hda' });
    await libvirt.api.domainDefineXmlFlags({ xml: domainXml('/var/lib/libvirt/images/echo.img') });
  });

  it('tell of a completed job, with its statistics', async () => {
    const event = await heard('jobCompleted', () => libvirt.api.domainManagedSave({ domain }));
    expect(event.params).to.include.keys('operation', 'time_elapsed', 'memory_total');
    expect(await libvirt.api.domainHasManagedSaveImage({ domain })).to.equal(true);
  });
});
