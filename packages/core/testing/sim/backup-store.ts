import type { BackupStoreDriver, BackupStoreFactory, Call, KeyPage } from '../../src/strategy/index.ts';
import { SimError } from './fault.ts';
import type { DriverEnvironment } from './link.ts';
import { SimLink } from './link.ts';
import type { SimWorld } from './world.ts';

const KEY = /^(?!.{513})[a-z0-9_-][a-z0-9._-]*(\/[a-z0-9_-][a-z0-9._-]*)*$/;
const PAGE = 1000;

function page(objects: ReadonlyMap<string, Uint8Array>, prefix: string, after: string): KeyPage {
  const keys = [...objects.keys()].filter((key) => key.startsWith(prefix) && key > after).sort();
  return { keys: keys.slice(0, PAGE), hasMore: keys.length > PAGE };
}

/** Places by their setting `place`, beside the pools that all hosts see. */
export function simulatedBackups(world: SimWorld, environment: DriverEnvironment): BackupStoreFactory {
  return {
    name: 'simulated',
    settings: {
      place: { description: 'Which place. Default: the only one.', required: false },
      user: { description: 'Who asks. Default: anybody.', required: false, credential: true },
      key: { description: 'What proves that.', required: false, secret: true },
    },
    open: ({ settings: { place = 'backups', user = '', key } }) => openPlace(world, environment, { place, user, key }),
  };
}

interface Visit {
  readonly place: string;
  readonly user: string;
  readonly key: string | undefined;
}

function openPlace(world: SimWorld, environment: DriverEnvironment, { place, user, key: proof }: Visit): BackupStoreDriver {
  const link = new SimLink(world, () => world.shared, environment);
  const admit = () => {
    if (world.backupUsers !== undefined && (proof === undefined || world.backupUsers.get(user) !== proof))
      throw new SimError('invalid', `${user} is not who he says`);
  };
  const objects = (): Map<string, Uint8Array> => {
    admit();
    const found = world.backups.get(place);
    if (found === undefined) throw new SimError('unavailable', `there is no place ${place}`);
    return found;
  };
  const ask = async <T>(command: string, key: string, call: Call, apply: (objects: Map<string, Uint8Array>) => T): Promise<T> => {
    if (!KEY.test(key)) throw new SimError('invalid', `${key} is no key`);
    return link.ask({ command: `backups.${command}`, call, apply: () => apply(objects()) });
  };
  return {
    ensureStore: (call) =>
      link.ask({
        command: 'backups.ensureStore',
        call,
        apply: () => {
          admit();
          if (!world.backups.has(place)) world.backups.set(place, new Map());
        },
      }),
    put: (key, bytes, call) => ask('put', key, call, (at) => void at.set(key, bytes.slice())),
    get: (key, call) => ask('get', key, call, (at) => at.get(key)?.slice()),
    has: (key, call) => ask('has', key, call, (at) => at.has(key)),
    delete: (key, call) => ask('delete', key, call, (at) => void at.delete(key)),
    list: async ({ prefix, after = '' }, call) => {
      if (!prefix.endsWith('/')) throw new SimError('invalid', `${prefix} does not end with a slash`);
      return ask('list', prefix.slice(0, -1), call, (at) => page(at, prefix, after));
    },
    classify: (error) => SimError.classify(error),
    close: async () => link.close(),
  };
}
