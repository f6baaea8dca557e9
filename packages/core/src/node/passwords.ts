import { argon2, timingSafeEqual } from 'node:crypto';
import { promisify } from 'node:util';
import type { Passwords } from '../cloud/index.ts';
import { Lane, type Random } from '../kernel/index.ts';

const derive = promisify(argon2);

interface Cost {
  readonly memory: number;
  readonly passes: number;
  readonly parallelism: number;
}
/** Some 20 ms and 19 MiB a password, as OWASP advises. */
const COST: Cost = { memory: 19_456, passes: 2, parallelism: 1 };
const SALT_BYTES = 16;
const TAG_BYTES = 32;
/** Threads that hash at once: a flood of logins leaves the others to what else there is to do. */
const AT_ONCE = 2;

const FORM = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/;

/** Argon2id by the threads of Node, in the usual textual form. */
export function argon2Passwords(random: Random): Passwords {
  const lane = new Lane(AT_ONCE);
  const tagOf = (password: string, nonce: Uint8Array, cost: Cost): Promise<Uint8Array> =>
    lane.run(() => derive('argon2id', { message: password, nonce, tagLength: TAG_BYTES, ...cost }));
  const text = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64').replaceAll('=', '');
  return {
    async hash(password) {
      const salt = random.bytes(SALT_BYTES);
      const tag = await tagOf(password, salt, COST);
      return `$argon2id$v=19$m=${COST.memory},t=${COST.passes},p=${COST.parallelism}$${text(salt)}$${text(tag)}`;
    },
    async verify(password, hashed) {
      const match = FORM.exec(hashed);
      if (match === null) return false;
      const [, memory, passes, parallelism, salt = '', tag = ''] = match;
      const cost = { memory: Number(memory), passes: Number(passes), parallelism: Number(parallelism) };
      const found = await tagOf(password, Buffer.from(salt, 'base64'), cost);
      const wanted = Buffer.from(tag, 'base64');
      return wanted.length === found.length && timingSafeEqual(wanted, found);
    },
  };
}
