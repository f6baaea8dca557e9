import { LuksHeader } from '@pileus/core/luks';
import { expect } from 'chai';
import { classify } from '../../src/rbd/faults.ts';

describe('what the driver finds where the header of an encrypted volume should be', () => {
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
