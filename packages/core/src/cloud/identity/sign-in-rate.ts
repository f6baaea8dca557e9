import { isIPv6 } from 'node:net';
import { CloudError, type KernelServices, Rates } from '../../kernel/index.ts';
import { addressSignIns } from './settings.ts';

/** Of those of a minute so many may come at once. */
const AT_ONCE = 0.1;

/**
 * Has an address wait that tries to sign in too often: each try costs a slow hash, and who has no key is nobody to count by. What one address asks beyond it
 * costs the others nothing then. Known to this process only.
 */
export class SignInRate {
  readonly #services: Pick<KernelServices, 'environment' | 'settings'>;
  #perMinute = 0;
  #rates: Rates | undefined;

  constructor(services: Pick<KernelServices, 'environment' | 'settings'>) {
    this.#services = services;
  }

  /** Undefined: within the process. @throws CloudError `busy` */
  take(from: string | undefined): void {
    const rates = this.#ratesNow();
    if (from === undefined || rates === undefined) return;
    const { granted, retrySeconds } = rates.take(addressPlace(from));
    if (!granted)
      throw new CloudError('busy', 'Too many tries to sign in come from this address; wait a while.', {
        params: { retryAfterSeconds: retrySeconds },
      });
  }

  #ratesNow(): Rates | undefined {
    const { environment, settings } = this.#services;
    const perMinute = settings.global(addressSignIns);
    if (perMinute !== this.#perMinute) {
      this.#perMinute = perMinute;
      const rate = { perSecond: perMinute / 60, burst: Math.ceil(perMinute * AT_ONCE) };
      this.#rates = perMinute === 0 ? undefined : new Rates(rate, environment.clock);
    }
    return this.#rates;
  }
}

/** An address of IPv4 is one place. Of IPv6 the first 64 bits are: whoever has one address has all of those. */
export function addressPlace(address: string): string {
  const [plain = ''] = address.split('%');
  if (!isIPv6(plain)) return address;
  const [head = '', tail] = plain.split('::');
  const groups = head === '' ? [] : head.split(':');
  const after = tail === undefined || tail === '' ? [] : tail.split(':');
  // What ends as IPv4 addresses are written has two groups there.
  const count = groups.length + after.length + (plain.includes('.') ? 1 : 0);
  const whole = [...groups, ...Array.from({ length: tail === undefined ? 0 : 8 - count }, () => '0'), ...after];
  return `${whole
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`;
}
