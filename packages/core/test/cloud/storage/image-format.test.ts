import { expect } from 'chai';
import fc from 'fast-check';
import { HEAD_BYTES, tellFormat } from '../../../src/cloud/storage/image-format.ts';
import { isAllowedSource, refuseSource } from '../../../src/cloud/storage/image-source.ts';
import { isCloudError, type Principal } from '../../../src/kernel/index.ts';
import { GIB } from '../little-cloud.ts';
import { qcow2 } from './qcow2.ts';

const refusal = (head: Uint8Array, sizeBytes = 65_536): string => {
  try {
    return JSON.stringify(tellFormat(head, sizeBytes));
  } catch (error) {
    if (!isCloudError(error)) throw error;
    expect(error.code).to.equal('invalid_input');
    return error.publicMessage;
  }
};

describe('the format of an image', () => {
  it('is told by the content', () => {
    expect(tellFormat(qcow2(), 65_536)).to.deep.equal({ format: 'qcow2', virtualSizeBytes: GIB });
    expect(tellFormat(qcow2({ version: 2, incompatible: 99n }), 65_536)).to.deep.equal({ format: 'qcow2', virtualSizeBytes: GIB });
    expect(tellFormat(new Uint8Array(512), 1024)).to.deep.equal({ format: 'raw', virtualSizeBytes: 1024 });
  });

  it('is that of an ISO by ISO 9660 and UDF, also where a partition table is before them', () => {
    for (const magic of ['CD001', 'BEA01']) {
      const head = new Uint8Array(HEAD_BYTES);
      head.set(Buffer.from(magic), 32_769);
      head.set([0x55, 0xaa], 510);
      expect(tellFormat(head, 65_536)).to.deep.equal({ format: 'iso', virtualSizeBytes: 65_536 });
      expect(tellFormat(head.subarray(0, 32_770), 65_536).format).to.equal('raw');
      expect(refusal(head, 65_537)).to.contain('sectors');
    }
  });

  it('is refused when the image refers to what is not in it', () => {
    expect(refusal(qcow2({ backingFileOffset: 0x200n }))).to.contain('backing file');
    expect(refusal(qcow2({ version: 2, backingFileOffset: 0x200n }))).to.contain('backing file');
    expect(refusal(qcow2({ incompatible: 0b100n }))).to.contain('another file');
  });

  it('is refused when nobody could run it', () => {
    expect(refusal(qcow2({ encryption: 2 }))).to.contain('encrypted');
    expect(refusal(qcow2({ incompatible: 0b10n }))).to.contain('corrupt');
    expect(refusal(qcow2({ incompatible: 1n << 40n }))).to.contain('not known');
    expect(refusal(qcow2({ version: 4 }))).to.contain('version');
    expect(refusal(qcow2({ virtualSize: 0n }))).to.contain('no sense');
    expect(refusal(qcow2({ virtualSize: 1n << 60n }))).to.contain('no sense');
    expect(refusal(qcow2({ virtualSize: 1025n })))
      .to.contain('1025 bytes (1 KiB)')
      .and.to.contain('sectors');
    expect(refusal(qcow2({}, 50))).to.contain('version');
    expect(refusal(qcow2({}, 90))).to.contain('within its header');
    expect(refusal(new Uint8Array(512), 1000)).to.contain('sectors');
    expect(refusal(new Uint8Array(0), 0)).to.contain('empty');
    expect(refusal(Uint8Array.from([0x1f, 0x8b, 8, 0]), 1024)).to.contain('gzip');
  });

  for (const [what, bytes, at] of [
    ['VMDK', 'KDMV\u0001', 0],
    ['VMDK', '# Disk DescriptorFile\nversion=1', 0],
    ['VHDX', 'vhdxfile', 0],
    ['VHD', 'conectix', 0],
    ['VDI', '\u007f\u0010\u00da\u00be', 64],
    ['QED', 'QED\0', 0],
    ['Parallels', 'WithoutFreeSpace', 0],
    ['LUKS', 'LUKS\u00ba\u00be', 0],
    ['tar', 'ustar', 257],
    ['zip', 'PK\u0003\u0004', 0],
    ['gzip', '\u001f\u008b\u0008', 0],
    ['bzip2', 'BZh9', 0],
    ['lz4', '\u0004\u0022\u004d\u0018', 0],
  ] as const)
    it(`is refused by its name when it is ${what} (${bytes.length} bytes at ${at})`, () => {
      const head = new Uint8Array(HEAD_BYTES);
      head.set(Buffer.from(bytes, 'latin1'), at);
      expect(refusal(head)).to.contain(what).and.to.contain('images are qcow2, raw or ISO');
      head[at] = 0;
      expect(tellFormat(head, 65_536).format).to.equal('raw');
    });

  it('of whatever bytes is known or refused, never a fault', () => {
    const head = fc.oneof(
      fc.uint8Array({ maxLength: 512 }),
      fc.uint8Array({ maxLength: 512 }).map((tail) => Uint8Array.from([0x51, 0x46, 0x49, 0xfb, 0, 0, 0, 3, ...tail])),
    );
    fc.assert(fc.property(head, fc.nat(), (bytes, size) => void refusal(bytes, size)));
  });
});

describe('sources of images', () => {
  const sources = ['https://images.example.org/public/', 'https://other.example.org:8443'];

  it('allow what is below them', () => {
    for (const url of [
      'https://images.example.org/public/debian.qcow2',
      'https://images.example.org/public/',
      'https://IMAGES.example.org:443/public/a/../b.raw',
      'https://other.example.org:8443/anything?at=all',
    ])
      expect(isAllowedSource(url, sources), url).to.equal(true);
  });

  it('allow nothing that only looks so', () => {
    for (const url of [
      'https://images.example.org/public',
      'https://images.example.org/public-not/x',
      'https://images.example.org/public/../secret',
      'https://images.example.org/public/%2e%2e/secret',
      'https://images.example.org.evil.example/public/x',
      'https://images.example.org@evil.example/public/x',
      'https://user:pass@images.example.org/public/x',
      'http://images.example.org/public/x',
      'https://images.example.org:444/public/x',
      'https://other.example.org/x',
      'file:///public/x',
      'not a url',
    ])
      expect(isAllowedSource(url, sources), url).to.equal(false);
    expect(isAllowedSource('https://images.example.org/public/x', [])).to.equal(false);
  });

  it('refuse what may carry a signature: the image shows its URL', () => {
    const url = 'https://images.example.org/public/x';
    const config = { imageSources: [url], imageDirectories: [] };
    refuseSource(url, config, operator);
    for (const secret of ['?', '?X-Amz-Signature=1', '#token'])
      expect(() => refuseSource(url + secret, config, operator), secret)
        .to.throw('whoever may read the image sees it')
        .with.property('code', 'invalid_input');
  });

  const files = { imageSources: ['file:///srv/images/'], imageDirectories: ['/srv/images'] };
  it('on the server are what is in a directory that is listed, and operators name them', () => {
    refuseSource('file:///srv/images/debian.qcow2', files, operator);
    refuseSource('file:///srv/images/a/d%C3%A9bian%2012.raw', files, operator);
    expect(() => refuseSource('file:///srv/images/debian.qcow2', files, tenant))
      .to.throw()
      .with.property('code', 'permission_denied');
    expect(() => refuseSource('file:///etc/shadow', files, tenant))
      .to.throw()
      .with.property('code', 'permission_denied');
  });

  for (const url of [
    'file:///etc/shadow',
    'file:///srv/images',
    'file:///srv/images-not/x',
    'file:///srv/images/../secret',
    'file:///srv/images/%2e%2e/secret',
    'file:///srv/images/..%2fsecret',
    'file:///srv/images/x%00',
    'file:///srv/images/%ff',
    'file://elsewhere/srv/images/x',
    'FILE:/etc/passwd',
    'file:',
  ])
    it(`on the server are not ${url}`, () => {
      expect(() => refuseSource(url, files, operator))
        .to.throw()
        .with.property('code', 'refused');
      expect(isAllowedSource(url, files.imageSources)).to.equal(false);
    });
});

const operator = { allows: () => true } as Partial<Principal> as Principal;
const tenant = { allows: (permission: string) => permission !== 'project.any' } as Partial<Principal> as Principal;
