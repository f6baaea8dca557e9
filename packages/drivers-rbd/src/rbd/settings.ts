import type { PoolEndpoint, SettingFault, StorageFactory } from '@pileus/core/strategy';
import { entriesOf, monitorsIn } from '../rados/index.ts';
import { DriverError } from './driver-error.ts';

export const SETTINGS = {
  monitors: { description: 'Addresses of the monitors with commas between: `host:port`, or as in `mon_host`.', required: true },
  pool: { description: 'Name of the pool. It is made and given to RBD by who runs the cluster.', required: true },
  user: { description: 'Whom the cluster knows the key of, without `client.`.', required: true, credential: true },
  key: { description: 'That key, as in the keyring.', required: true, secret: true },
  namespace: { description: 'A namespace of the pool; it is made if needed. Default: the one without a name.', required: false },
  dataPool: { description: 'The pool that takes the data where `pool` takes the names alone: for erasure coding.', required: false },
} as const satisfies StorageFactory['settings'];

export interface PoolSettings {
  readonly poolId: string;
  readonly monitors: readonly string[];
  readonly user: string;
  readonly key: string;
  readonly pool: string;
  /** `''` is the one without a name. */
  readonly namespace: string;
  readonly dataPool: string | undefined;
}

const NEEDED = ['monitors', 'pool', 'user', 'key'] as const;
const PLAIN = ['pool', 'user', 'namespace', 'dataPool'] as const;

/** What no pool can be opened with. The key is not quoted. */
export function settingFault(settings: Readonly<Record<string, string>>): SettingFault | undefined {
  const empty = NEEDED.find((name) => (name === 'monitors' ? monitorsIn(settings[name] ?? '').length === 0 : !settings[name]));
  if (empty !== undefined) return { setting: empty, reason: 'must not be empty' };
  const noAddress = monitorsIn(settings.monitors ?? '').find((monitor) => entriesOf(monitor) === undefined);
  if (noAddress !== undefined) return { setting: 'monitors', reason: `has ${JSON.stringify(noAddress)}, which is no address` };
  const odd = PLAIN.find((name) => /[/@\s]/.test(settings[name] ?? ''));
  if (odd !== undefined) return { setting: odd, reason: 'may contain no /, no @ and no space' };
  if (!/^[A-Za-z0-9+/]+=*$/.test(settings.key?.trim() ?? '')) return { setting: 'key', reason: 'is not of the form that keyrings have' };
  return undefined;
}

/** @throws DriverError invalid, naming the setting */
export function readSettings({ poolId, settings }: PoolEndpoint): PoolSettings {
  const fault = settingFault(settings);
  if (fault !== undefined) throw new DriverError('invalid', `pool ${poolId}: the setting ${fault.setting} ${fault.reason}`);
  const { monitors = '', user = '', key = '', pool = '', namespace = '', dataPool } = settings;
  return { poolId, monitors: monitorsIn(monitors), key: key.trim(), user: user.replace(/^client\./, ''), pool, namespace, dataPool };
}

/** Of both messengers, where no port says of which. */
const PORTS = ['3300', '6789'];

/** Where the monitors take connections, `host:port`. */
export const endpointsOf = (monitors: readonly string[]): readonly string[] => [
  ...new Set(
    monitors.flatMap((monitor) =>
      (entriesOf(monitor) ?? []).flatMap(({ host, port }) =>
        (port === undefined ? PORTS : [port]).map((each) => `${host.includes(':') ? `[${host}]` : host}:${each}`),
      ),
    ),
  ),
];
