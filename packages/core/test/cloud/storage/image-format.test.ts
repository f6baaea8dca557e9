import { expect } from 'chai';
import fc from 'fast-check';
import { HEAD_BYTES, tellFormat } from '../../../src/cloud/storage/image-format.ts';
import { isAllowedSource, refuseSource } from '../../../src/cloud/storage/image-source.ts';
import { isCloudError } from '../../../src/kernel/index.ts';
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
    expect(refusal(new TextEncoder().encode('KDMV…'), 1024)).to.contain('VMDK');
  });

  it('of whatever bytes is known or refused, never a fault', () => {
    const head = fc.oneof(
      fc.uint8Array({ maxLength: HEAD_BYTES }),
      fc.uint8Array({ maxLength: HEAD_BYTES }).map((tail) => Uint8Array.from([0x51, 0x46, 0x49, 0xfb, 0, 0, 0, 3, ...tail])),
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
    refuseSource(url, [url]);
    for (const secret of ['?', '?X-Amz-Signature=1', '#token'])
      expect(() => refuseSource(url + secret, [url]), secret)
        .to.throw('whoever may read the image sees it')
        .with.property('code', 'invalid_input');
  });
});
