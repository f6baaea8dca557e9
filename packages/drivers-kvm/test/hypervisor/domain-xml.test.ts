import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Attachment, DiskBus, Firmware, GuestOs, Plug } from '@pileus/core/strategy';
import { expect } from 'chai';
import { limitsOf, viewDomain } from '../../src/hypervisor/domain-view.ts';
import { domainXml } from '../../src/hypervisor/domain-xml.ts';
import type { VirtType } from '../../src/hypervisor/guest-profile.ts';
import { validate } from '../libvirt-schema.ts';
import { FULL_MACHINE } from '../machine-spec.ts';

const GOLDEN = join(import.meta.dirname, 'golden');
/** Set to write the golden files anew; the difference is then reviewed like code. */
const REWRITE = process.env.PILEUS_REWRITE_GOLDEN === '1';

const documents = new Map<string, string>();
for (const guestOs of ['linux', 'windows'] satisfies GuestOs[])
  for (const firmware of ['bios', 'uefi'] satisfies Firmware[])
    for (const diskBus of ['virtio', 'scsi', 'sata'] satisfies DiskBus[])
      for (const virtType of ['kvm', 'tcg'] satisfies VirtType[]) {
        const spec = { ...FULL_MACHINE, guestOs, firmware, diskBus };
        documents.set(`${guestOs}-${firmware}-${diskBus}-${virtType}`, domainXml(spec, { virtType, vncSocketDir: '/run/vnc' }));
      }

describe('the definition of a machine', () => {
  for (const [name, document] of documents)
    it(`is as committed for ${name}`, async () => {
      const path = join(GOLDEN, `${name}.xml`);
      if (REWRITE) await writeFile(path, document);
      expect(document).to.equal(await readFile(path, 'utf8'));
    });

  it('has a golden file for every combination and no other', async () => {
    expect((await readdir(GOLDEN)).sort()).to.deep.equal([...documents.keys()].map((name) => `${name}.xml`).sort());
  });

  it("fits libvirt's own schema in every combination", () => validate('domain', Object.fromEntries(documents)));

  it("fits libvirt's own schema with every way to reach a disk and a network", async () => {
    const attachments: Attachment[] = [
      { type: 'block', path: '/dev/sdb' },
      { type: 'rbd', pool: 'rbd', image: 'v', monitors: ['10.0.0.1:6789', '[fd00::1]:6789', 'mon3'], user: 'pileus', secretRef: 'ceph-1' },
      { type: 'nfs', server: 'filer', export: '/export', path: 'v.qcow2', format: 'qcow2' },
    ];
    const plugs: Plug[] = [
      { type: 'bridge', bridge: 'br0', vlan: 7 },
      { type: 'ovsPort', bridge: 'br-int', interfaceId: '01900000-0000-7000-8000-0000000000c9' },
      { type: 'tap', device: 'tap9' },
    ];
    const disks = attachments.map((attachment, slot) => ({ volumeId: `v${slot}`, attachment, slot, readOnly: false }));
    const nics = plugs.map((plug, slot) => ({ nicId: `n${slot}`, mac: `52:54:00:00:00:0${slot}`, plug, slot }));
    const all = domainXml({ ...FULL_MACHINE, cpuShares: 512, disks, nics }, { virtType: 'kvm', vncSocketDir: 'auto' });
    await validate('domain', { all });
    // The cache of librbd heeds flushes, and only with `writeback` is it used.
    expect([...all.matchAll(/ type='raw' cache='(\w+)' discard='unmap'/g)].map((match) => match[1])).to.deep.equal(['none', 'writeback']);
  });

  it('lets other machines have a disk that is shareable, of which no cache keeps what they are to see', async () => {
    const attachments: Attachment[] = [
      { type: 'rbd', pool: 'rbd', image: 'v', monitors: ['mon'], user: 'u', secretRef: 'r' },
      { type: 'file', path: '/pool/v.raw', format: 'raw' },
      { type: 'nfs', server: 'filer', export: '/export', path: 'v.raw', format: 'raw' },
    ];
    const documentOf = (change: { readonly shareable?: true }) => {
      const disks = attachments.map((attachment, slot) => ({ volumeId: `v${slot}`, attachment, slot, readOnly: false, ...change }));
      return domainXml({ ...FULL_MACHINE, disks }, { virtType: 'kvm', vncSocketDir: 'auto' });
    };
    const shared = documentOf({ shareable: true });
    await validate('domain', { shared });
    expect(shared.match(/<shareable\/>/g)).to.have.length(3);
    expect(shared).to.not.include('writeback');
    const alone = documentOf({});
    expect(alone).to.not.include('shareable');
    expect(alone.match(/cache='writeback'/g)).to.have.length(1);
  });

  it('is refused for a disk in a namespace of Ceph, for which libvirt has no word', () => {
    const rbd = { type: 'rbd', pool: 'rbd', image: 'v', monitors: ['mon'], user: 'u', secretRef: 'r', namespace: 'n' } as const;
    const disks = [{ volumeId: 'v', attachment: rbd, slot: 0, readOnly: false }];
    expect(() => domainXml({ ...FULL_MACHINE, disks }, { virtType: 'kvm' })).to.throw(/namespace/);
  });

  it('shows the limits that it was made with, as far as the host enforces them', () => {
    const view = viewDomain(domainXml({ ...FULL_MACHINE, cpuShares: 512 }, { virtType: 'kvm' }));
    const disks = { '01900000-0000-7000-8000-0000000000d1': { iopsPerSecond: 500, bytesPerSecond: 10 * 2 ** 20 } };
    const nics = { '01900000-0000-7000-8000-0000000000c0': { inboundBytesPerSecond: 2 ** 20, outboundBytesPerSecond: 2048 } };
    expect(limitsOf(view, { cpuShares: true, nicLimits: true })).to.deep.equal({ cpuShares: 512, disks, nics });
    expect(limitsOf(view, { cpuShares: false, nicLimits: false })).to.deep.equal({ disks });
    const plain = viewDomain(domainXml({ ...FULL_MACHINE, disks: [], nics: [] }, { virtType: 'kvm' }));
    expect(limitsOf(plain, { cpuShares: true, nicLimits: true })).to.equal(undefined);
  });

  it('has its drive booted after disks only: a disk that is plugged in later has no place in that order', () => {
    expect(domainXml(FULL_MACHINE, { virtType: 'tcg' })).to.include(`<boot order='100'/>`);
    expect(domainXml({ ...FULL_MACHINE, disks: [] }, { virtType: 'tcg' })).to.not.include('<boot ');
  });

  // A migration takes the definition as it is: nothing in it may be of the host that it leaves, and what opens the pool is given to a host with the root disk.
  it('reads an ISO on RBD and NFS by what every host calls it, opened by what opens the root disk', () => {
    const rbd = { type: 'rbd', pool: 'rbd', monitors: ['10.0.0.1:6789'], user: 'pileus', secretRef: 'ceph-1' } as const;
    const nfs = { type: 'nfs', server: 'filer', export: '/export' } as const;
    const sourceOf = (root: Attachment, iso: Attachment) => {
      const disks = [{ volumeId: 'v', attachment: root, slot: 0, readOnly: false }];
      const xml = domainXml({ ...FULL_MACHINE, disks, iso: { imageId: 'i', attachment: iso } }, { virtType: 'kvm' });
      const drive = xml.split('<disk ').find((each) => each.includes(`dev='sdzy'`)) ?? '';
      return [drive.slice(0, drive.indexOf('>')), /<source.*<\/source>/s.exec(drive)?.[0].replaceAll(/\n\s*/g, '')];
    };
    expect(sourceOf({ ...rbd, image: 'volume' }, { ...rbd, image: 'image' })).to.deep.equal([
      `type='network' device='cdrom'`,
      `<source protocol='rbd' name='rbd/image'><host name='10.0.0.1' port='6789'/><auth username='pileus'><secret type='ceph' usage='ceph-1'/></auth></source>`,
    ]);
    expect(sourceOf({ ...nfs, path: 'v.qcow2', format: 'qcow2' }, { ...nfs, path: 'image.raw', format: 'raw' })).to.deep.equal([
      `type='network' device='cdrom'`,
      `<source protocol='nfs' name='/export/image.raw'><host name='filer'/><identity user='+0' group='+0'/></source>`,
    ]);
  });

  it('keeps every disk at its own place, whatever other disks there are', () => {
    const disks = FULL_MACHINE.disks.filter((disk) => disk.slot === 1);
    const alone = domainXml({ ...FULL_MACHINE, diskBus: 'sata', disks }, { virtType: 'tcg' });
    expect(alone)
      .to.include(`<target dev='sdb' bus='sata'/>`)
      .and.include(`<address type='drive' controller='0' bus='0' target='0' unit='1'/>`);
  });
});
