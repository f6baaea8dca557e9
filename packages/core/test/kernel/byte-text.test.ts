import { expect } from 'chai';
import { bytesText } from '../../src/kernel/index.ts';

describe('sizes in refusals', () => {
  for (const [bytes, text] of [
    [0, '0 bytes'],
    [512, '512 bytes'],
    [1024, '1024 bytes (1 KiB)'],
    [1536, '1536 bytes (1.5 KiB)'],
    [10 * 2 ** 30, '10737418240 bytes (10 GiB)'],
    [10 * 2 ** 30 - 512, '10737417728 bytes (10 GiB)'],
    [2 ** 50, '1125899906842624 bytes (1 PiB)'],
    [Number.MAX_SAFE_INTEGER, '9007199254740991 bytes (8 PiB)'],
  ] as const)
    it(`are exact and for people: ${text}`, () => {
      expect(bytesText(bytes)).to.equal(text);
    });
});
