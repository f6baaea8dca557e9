import { readFile } from 'node:fs/promises';

const THIRD_BYTES = Array.from({ length: 150 }, (_, index) => 100 + index);

/** A /24 of 192.168.0.0/16 that this machine has no route to. Begins anywhere, so that two who ask at once rarely get the same. */
export async function freeSubnet(): Promise<string> {
  const routes = await ipv4Routes();
  const start = Math.floor(Math.random() * THIRD_BYTES.length);
  for (const index of THIRD_BYTES.keys()) {
    const third = THIRD_BYTES[(start + index) % THIRD_BYTES.length] ?? 0;
    const network = ((192 << 24) | (168 << 16) | (third << 8)) >>> 0;
    if (routes.every(({ base, mask }) => (network & mask) >>> 0 !== base && (base & 0xffffff00) >>> 0 !== network))
      return `192.168.${third}.0/24`;
  }
  throw new Error('this machine has routes to every 192.168.x.0/24: there is no range left for the demo');
}

/** The kernel's table: addresses as little-endian hexadecimal. The default route, whose mask is zero, is no route to anything in particular. */
async function ipv4Routes(): Promise<readonly { readonly base: number; readonly mask: number }[]> {
  const lines = (await readFile('/proc/net/route', 'utf8').catch(() => '')).trim().split('\n').slice(1);
  const number = (hex = '') => Buffer.from(hex, 'hex').reverse().readUInt32BE();
  const routes = lines.map((line) => line.split('\t')).map((fields) => ({ base: number(fields[1]), mask: number(fields[7]) }));
  return routes.filter(({ mask }) => mask !== 0);
}
