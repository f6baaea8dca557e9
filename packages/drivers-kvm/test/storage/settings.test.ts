import { LuksHeader } from '@pileus/core/luks';
import { expect } from 'chai';
import { classify } from '../../src/faults.ts';
import { kvm } from '../../src/index.ts';
import { ErrorCode, LibvirtError } from '../../src/libvirt/index.ts';

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
    const failed = (message: string) =>
      classify(new LibvirtError('storagePoolCreate', { ...rest, code: ErrorCode.operationFailed, message }));
    expect(failed("operation failed: Storage source conflict with pool: 'other'")).to.equal('conflict');
    expect(failed("failed to create directory '/proc/nope': No such file or directory")).to.equal('conflict');
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
