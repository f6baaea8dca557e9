import { LuksHeader } from '@pileus/core/luks';
import { expect } from 'chai';
import { classify } from '../../src/faults.ts';
import { kvm } from '../../src/index.ts';
import { ErrorCode, LibvirtError } from '../../src/libvirt/index.ts';
import { explained } from '../../src/storage/pool.ts';

describe('the folder of a pool', () => {
  const [storage] = kvm().strategies.storage ?? [];
  const faultOf = (path: string) => storage?.settingFault?.({ path })?.setting;

  it('is an absolute path, in the form in which libvirt keeps it', () => {
    expect(faultOf('/var/lib/pool')).to.equal(undefined);
    for (const path of ['', 'pool', './pool', '/', '//pool', '/var//pool', '/var/pool/', '/var/./pool', '/var/../pool'])
      expect(faultOf(path), path).to.equal('path');
  });

  it('is refused, and not an unexpected fault, when another pool has it or the host cannot make it', () => {
    const rest = {
      domain: 18,
      level: 2,
      dom: undefined,
      str1: undefined,
      str2: undefined,
      str3: undefined,
      int1: 0,
      int2: 0,
      net: undefined,
    };
    const failed = (message: string) => new LibvirtError('storagePoolCreate', { ...rest, code: ErrorCode.operationFailed, message });
    const told = [
      ["operation failed: Storage source conflict with pool: 'other'", 'Another pool of the host has this folder: take another path.'],
      [
        "failed to create directory '/proc/nope': No such file or directory",
        'The host cannot make this folder: take another path, or make it there.',
      ],
    ] as const;
    for (const [message, sentence] of told) {
      const refused = explained(failed(message));
      expect([classify(failed(message)), classify(refused)]).to.deep.equal(['conflict', 'conflict']);
      expect(refused).to.include({ told: sentence });
    }
    for (const other of [failed('operation failed: something else'), 'lost']) expect(explained(other)).to.equal(other);
  });
});

describe('what a driver finds where the header of an encrypted volume should be', () => {
  it('is a conflict when it is none', () => {
    let refusal: unknown;
    try {
      LuksHeader.read(Buffer.alloc(4096));
    } catch (error) {
      refusal = error;
    }
    expect(classify(refusal)).to.equal('conflict');
  });
});
