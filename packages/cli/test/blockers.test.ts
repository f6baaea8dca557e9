import { PileusError } from '@pileus/sdk';
import { expect } from 'chai';
import { reportOf } from '../src/exit.ts';

const CONTEXT = { command: 'pileus networks delete', flagOf: () => undefined };
const told = (message: string, params: Readonly<Record<string, unknown>>) =>
  reportOf(new PileusError('in_use', message, { params }), CONTEXT).text.split('\n');
const nic = (name: string) => ({ kind: 'nic', id: `id-of-${name}`, name });

describe('cli: what stands in the way', () => {
  it('is told once', () => {
    expect(told('Still used by nic web-1, nic web-2.', { blockers: [nic('web-1'), nic('web-2')] })).to.deep.equal([
      'error: Still used by nic web-1, nic web-2. (in_use)',
    ]);
  });

  it('is told by kind and name where the message ends early', () => {
    const blockers = ['web-1', 'web', 'web-3'].map(nic);
    expect(told('Still used by nic web-1 and others.', { blockers })).to.deep.equal([
      'error: Still used by nic web-1 and others. (in_use)',
      '  blockers: nic web, nic web-3',
    ]);
  });

  it('is told in words, and once, of kinds whose names are several', () => {
    const blockers = ['web', 'db'].map((name) => ({ kind: 'securityGroupRule', id: `id-of-${name}`, name }));
    expect(told('Still used by security group rule web and others.', { blockers })).to.deep.equal([
      'error: Still used by security group rule web and others. (in_use)',
      '  blockers: security group rule db',
    ]);
  });

  it('keeps what else belongs to the refusal', () => {
    expect(told('Known are a, b.', { fields: ['a', 'b'], reasons: ['c'], limitBytes: 2048 })).to.deep.equal([
      'error: Known are a, b. (in_use)',
      '  reasons: ["c"]',
      '  limitBytes: 2048 (2KiB)',
    ]);
  });
});
