import { expect } from 'chai';
import { instant } from '../../src/kernel/index.ts';

describe('times that are given', () => {
  it('are kept in UTC, to the millisecond', () => {
    for (const [given, kept] of [
      ['2030-01-31T09:00:00Z', '2030-01-31T09:00:00.000Z'],
      ['2030-01-31T01:30:00.1239+05:30', '2030-01-30T20:00:00.123Z'],
      ['2030-01-31 09:00:00z', '2030-01-31T09:00:00.000Z'],
      ['2032-02-29T00:00:00Z', '2032-02-29T00:00:00.000Z'],
      ['9999-12-31T23:59:59.999Z', '9999-12-31T23:59:59.999Z'],
    ] as const)
      expect(instant(given, '/at')).to.equal(kept);
  });

  // Texts of years beyond begin with a sign, and so come before all others.
  it('are refused where no calendar has them, or rows could not compare them', () => {
    for (const given of [
      '2030-02-29T00:00:00Z',
      '2030-04-31T00:00:00+02:00',
      '9999-12-31T23:00:00-05:00',
      '0000-01-01T00:00:00+05:00',
      'today',
    ])
      expect(() => instant(given, '/at'), given)
        .to.throw()
        .with.deep.include({ code: 'invalid_input', pointer: '/at' });
  });
});
