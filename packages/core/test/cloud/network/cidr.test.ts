import { expect } from 'chai';
import fc from 'fast-check';
import { contains, formatAddress, nearestCidr, overlaps, parseAddress, parseCidr } from '../../../src/cloud/network/cidr.ts';

/** Addresses as arrays of bits, with nothing but string operations: slow, and another way than the code's. */
const bitsOf4 = (text: string): string =>
  text
    .split('.')
    .map((part) => Number(part).toString(2).padStart(8, '0'))
    .join('');
const octets = fc.tuple(fc.nat(255), fc.nat(255), fc.nat(255), fc.nat(255));
const ipv4 = octets.map((parts) => parts.join('.'));
const groups = fc.array(fc.oneof(fc.constant(0), fc.nat(0xffff)), { minLength: 8, maxLength: 8 });
const ipv6 = groups.map((parts) => parts.map((part) => part.toString(16)).join(':'));
const bitsOf6 = (text: string): string =>
  text
    .split(':')
    .map((part) => Number.parseInt(part, 16).toString(2).padStart(16, '0'))
    .join('');

/** RFC 5952 by the letter: the first longest run of two or more zero groups, found by trying them all. */
function shortest(text: string): string {
  const parts = text.split(':').map((part) => Number.parseInt(part, 16).toString(16));
  for (let length = 8; length >= 2; length -= 1)
    for (let at = 0; at + length <= 8; at += 1)
      if (parts.slice(at, at + length).every((part) => part === '0'))
        return `${parts.slice(0, at).join(':')}::${parts.slice(at + length).join(':')}`;
  return parts.join(':');
}

describe('addresses', () => {
  it('of IPv4 are read and written as what they are', () => {
    fc.assert(
      fc.property(ipv4, (text) => {
        const parsed = parseAddress(text);
        expect(parsed).to.deep.equal({ family: 4, value: BigInt(`0b${bitsOf4(text)}`) });
        expect(formatAddress(4, parsed?.value ?? 0n)).to.equal(text);
      }),
    );
  });

  it('of IPv6 are read in any form, and written in the one of RFC 5952', () => {
    fc.assert(
      fc.property(ipv6, (text) => {
        const value = BigInt(`0b${bitsOf6(text)}`);
        for (const form of [
          text,
          text.toUpperCase(),
          text
            .split(':')
            .map((part) => part.padStart(4, '0'))
            .join(':'),
          shortest(text),
        ])
          expect(parseAddress(form), form).to.deep.equal({ family: 6, value });
        expect(formatAddress(6, value)).to.equal(shortest(text));
      }),
    );
    for (const [long, short] of [
      ['2001:0db8:0000:0000:0000:0000:0002:0001', '2001:db8::2:1'],
      ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
      ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
      ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
      ['2001:DB8::1', '2001:db8::1'],
      ['2001:db8:aaaa:bbbb:cccc:dddd:eeee:0001', '2001:db8:aaaa:bbbb:cccc:dddd:eeee:1'],
      ['0:0:0:0:0:0:0:0', '::'],
      ['0:0:0:0:0:0:0:1', '::1'],
      ['fe80:0:0:0:0:0:0:0', 'fe80::'],
    ] as const)
      expect(formatAddress(6, parseAddress(long)?.value ?? -1n), long).to.equal(short);
  });

  it('are not what only looks like them', () => {
    for (const text of [
      '',
      '1.2.3',
      '1.2.3.4.5',
      '01.2.3.4',
      '256.0.0.1',
      '1.2.3.4/8',
      ':::',
      '1::2::3',
      'fe80::1%eth0',
      '::ffff:1.2.3.4',
      'g::',
      ' 1.2.3.4',
      '1:2:3:4:5:6:7',
      '1:2:3:4:5:6:7:8:9',
      '12345::',
    ])
      expect(parseAddress(text), text).to.equal(undefined);
  });
});

describe('networks in canonical form', () => {
  it('are guessed from what is not, for who has written the address of a machine', () => {
    for (const [text, meant] of [
      ['192.168.150.7/24', '192.168.150.0/24'],
      ['10.1.2.3/8', '10.0.0.0/8'],
      [' 10.10.0.0/016 ', '10.10.0.0/16'],
      ['2001:DB8::17/64', '2001:db8::/64'],
      ['10.0.0.0/33', '10.10.0.0/24'],
      ['10.0.0/24', '10.10.0.0/24'],
      ['lan', '10.10.0.0/24'],
    ] as const) {
      expect(nearestCidr(text), text).to.equal(meant);
      expect(parseCidr(meant), meant).to.not.equal(undefined);
      expect(parseCidr(text), text).to.equal(undefined);
    }
  });

  const cidr4 = fc.tuple(ipv4, fc.nat(32));
  const cidr6 = fc.tuple(ipv6, fc.nat(128));

  it('have no host bits, and say how many addresses they have', () => {
    const check = (text: string, prefix: number, bits: string, canonical: string) => {
      const parsed = parseCidr(`${text}/${prefix}`);
      if (bits.slice(prefix).includes('1') || canonical !== text) expect(parsed, `${text}/${prefix}`).to.equal(undefined);
      else expect(parsed).to.include({ prefix, base: BigInt(`0b${bits}`), size: 2n ** BigInt(bits.length - prefix) });
      const base = BigInt(`0b${bits.slice(0, prefix).padEnd(bits.length, '0')}`);
      expect(parseCidr(`${formatAddress(bits.length === 32 ? 4 : 6, base)}/${prefix}`)).to.include({ base, prefix });
    };
    fc.assert(fc.property(cidr4, ([text, prefix]) => check(text, prefix, bitsOf4(text), text)));
    fc.assert(fc.property(cidr6, ([text, prefix]) => check(text, prefix, bitsOf6(text), shortest(text))));
    for (const text of [
      '10.0.0.0',
      '10.0.0.0/',
      '10.0.0.0/33',
      '10.0.0.0/-1',
      '10.0.0.0/08',
      '10.0.0.0/8/8',
      '10.0.0.0/ 8',
      '10.0.0.0/1e1',
      '::/129',
    ])
      expect(parseCidr(text), text).to.equal(undefined);
  });

  it('contain what begins with their bits, and overlap when one begins with the other', () => {
    const near = fc.tuple(fc.nat(255), fc.nat(32), fc.nat(255), fc.nat(32)).map(([a, p, b, q]) => {
      const network = (octet: number, prefix: number) => {
        const bits = bitsOf4(`10.0.${octet}.0`).slice(0, prefix);
        return { bits, text: `${formatAddress(4, BigInt(`0b${bits.padEnd(32, '0')}`))}/${prefix}` };
      };
      return [network(a, p), network(b, q)] as const;
    });
    fc.assert(
      fc.property(near, ipv4, ([one, two], address) => {
        const [a, b, ip] = [parseCidr(one.text), parseCidr(two.text), parseAddress(address)];
        if (a === undefined || b === undefined || ip === undefined) throw new Error(`${one.text} ${two.text} ${address}`);
        expect(overlaps(a, b)).to.equal(one.bits.startsWith(two.bits) || two.bits.startsWith(one.bits));
        expect(overlaps(b, a)).to.equal(overlaps(a, b));
        expect(contains(a, ip)).to.equal(bitsOf4(address).startsWith(one.bits));
        expect(contains(a, { family: 6, value: ip.value })).to.equal(false);
      }),
      { numRuns: 500 },
    );
  });
});
