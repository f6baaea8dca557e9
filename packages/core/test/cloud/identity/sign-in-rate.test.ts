import { expect } from 'chai';
import { addressPlace, SignInRate } from '../../../src/cloud/identity/sign-in-rate.ts';

describe('the rate of tries to sign in', () => {
  const stage = (value: number) => {
    const now = { ms: 0, value };
    const rate = new SignInRate({ environment: { clock: { monotonicMs: () => now.ms } }, settings: { global: () => now.value } } as never);
    const granted = (from: string | undefined, count: number) => {
      let sum = 0;
      for (let index = 0; index < count; index += 1)
        try {
          rate.take(from);
          sum += 1;
        } catch (error) {
          expect(error).to.include({ code: 'busy' });
          expect((error as { params: { retryAfterSeconds: number } }).params.retryAfterSeconds).to.be.greaterThan(0);
        }
      return sum;
    };
    return { now, granted };
  };

  it('is of each address alone, some at once and so many a minute', () => {
    const { now, granted } = stage(60);
    expect(granted('192.0.2.1', 100)).to.equal(6);
    expect(granted('192.0.2.2', 100)).to.equal(6);
    let sum = 0;
    for (; now.ms < 600_000; now.ms += 100) sum += granted('192.0.2.1', 3);
    expect(sum).to.be.within(598, 600);
    expect(granted(undefined, 100)).to.equal(100);
  });

  it('is of all addresses of IPv6 that one may have', () => {
    const { granted } = stage(60);
    const all = Array.from({ length: 100 }, (_, index) => granted(`2001:db8:1:2:${index.toString(16)}::1`, 1));
    expect(all.filter((count) => count === 1)).to.have.length(6);
    expect(granted('2001:db8:1:3::1', 100)).to.equal(6);
  });

  it('is what is set now, and none where that is 0', () => {
    const { now, granted } = stage(0);
    expect(granted('192.0.2.1', 100)).to.equal(100);
    now.value = 1;
    expect(granted('192.0.2.1', 100)).to.equal(1);
    now.value = 20;
    expect(granted('192.0.2.1', 100)).to.equal(2);
  });

  it('knows the first 64 bits however an address is written', () => {
    for (const [address, place] of [
      ['192.0.2.1', '192.0.2.1'],
      ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
      ['2001:db8:1:2::6', '2001:db8:1:2::/64'],
      ['2001:db8::6', '2001:db8:0:0::/64'],
      ['2001:0DB8::1:2:3:4:5', '2001:db8:0:1::/64'],
      ['::1', '0:0:0:0::/64'],
      ['::', '0:0:0:0::/64'],
      ['2001:db8:1:2::', '2001:db8:1:2::/64'],
      ['64:ff9b::192.0.2.1', '64:ff9b:0:0::/64'],
      ['1:2:3::5:6:192.0.2.1', '1:2:3:0::/64'],
      ['fe80::1%eth0', 'fe80:0:0:0::/64'],
    ])
      expect(addressPlace(address ?? ''), address).to.equal(place);
  });
});
