import { readFile, writeFile } from 'node:fs/promises';
import { extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { CommandType, ServedMachine, ServedNetwork } from '@pileus/core/agent';
import { describeChain, type Environment } from '@pileus/core/kernel';
import type { Handler } from '../runner.ts';
import type { Supervisor } from '../supervisor.ts';
import { addNeighbours, ensureNamespace, outerOf, removeNamespace, removeNeighbours } from './namespace.ts';
import { hasIpv6 } from './place.ts';
import { type Served, ServedFiles, type ServedSort } from './served.ts';
import type { SwitchPorts } from './switch-ports.ts';

export interface ServiceOptions {
  readonly environment: Environment;
  readonly supervisor: Supervisor;
  readonly dataDir: string;
  readonly ports: SwitchPorts;
  readonly upstreams: readonly string[];
  readonly logLevel: string;
  /** How long it is remembered that something was withdrawn. */
  readonly isOld: (commandId: string) => boolean;
}

type Work = () => Promise<void>;
type ServiceCommand = Exclude<CommandType, 'host.inspect'>;
export type ServiceHandlers = { readonly [T in ServiceCommand]: Handler<T> };

const MAIN = fileURLToPath(new URL(`./main${extname(import.meta.url)}`, import.meta.url));
const KEY_BYTES = 32;

/** Metadata and names for machines: what is served is written down and made on the host; a child serves it. */
export async function serviceHandlers(options: ServiceOptions) {
  const { environment, supervisor, dataDir, ports } = options;
  const directory = join(dataDir, 'served');
  const files = await ServedFiles.open(directory);
  await files.forget(options.isOld);
  await restore(files, options);
  const told = { directory, keyFile: await keyFileOf(dataDir, environment), upstreams: options.upstreams, logLevel: options.logLevel };
  const args = [...process.execArgv, MAIN, JSON.stringify(told)];
  const child = supervisor.add({ name: 'services', command: process.execPath, args });

  /** Newer than what is known of it: made, written down, told, and joined with what else there is. */
  const apply = async <S extends ServedSort>(
    sort: S,
    id: string,
    { commandId, value, make, join }: { commandId: string; value: Served[S] | undefined; make?: Work; join?: Work },
  ): Promise<{ applied: boolean }> => {
    if (files.isOlder(sort, id, commandId)) return { applied: false };
    await make?.();
    await files.put(sort, id, commandId, value);
    child.send({ sort, id });
    // Of a network and a machine that are told at once the later one knows the other.
    await join?.();
    return { applied: true };
  };
  const handlers: ServiceHandlers = {
    'network.serve': {
      subject: ({ networkId }) => networkId,
      run: (value, { commandId, signal }) => {
        const make = async () => {
          await ensureNamespace(value);
          await ports.plug(outerOf(value.networkId), value, signal);
        };
        const join = () => addNeighbours(value.networkId, neighboursOn(value, files.all('machines')));
        return apply('networks', value.networkId, { commandId, value, make, join });
      },
    },
    'network.withdraw': {
      subject: ({ networkId }) => networkId,
      run: ({ networkId }, { commandId, signal }) => {
        const make = async () => {
          await ports.unplug(outerOf(networkId), signal);
          await removeNamespace(networkId);
        };
        return apply('networks', networkId, { commandId, value: undefined, make });
      },
    },
    'machine.serve': {
      subject: ({ instanceId }) => instanceId,
      run: (value, { commandId }) => {
        const join = async () => {
          for (const network of files.all('networks')) await addNeighbours(network.networkId, neighboursOn(network, [value]));
        };
        return apply('machines', value.instanceId, { commandId, value, join });
      },
    },
    'machine.withdraw': {
      subject: ({ instanceId }) => instanceId,
      run: ({ instanceId }, { commandId }) => {
        const machine = files.get('machines', instanceId);
        const join = async () => {
          if (machine === undefined) return;
          for (const network of files.all('networks')) await removeNeighbours(network.networkId, neighboursOn(network, [machine]));
        };
        return apply('machines', instanceId, { commandId, value: undefined, join });
      },
    },
    'names.serve': { subject: ({ vpcId }) => vpcId, run: (value, { commandId }) => apply('names', value.vpcId, { commandId, value }) },
    'names.withdraw': {
      subject: ({ vpcId }) => vpcId,
      run: ({ vpcId }, { commandId }) => apply('names', vpcId, { commandId, value: undefined }),
    },
  };
  const served = () => ({ networks: files.ids('networks'), machines: files.ids('machines'), names: files.ids('names') });
  return { handlers, served };
}

/** The MACs of machines on a network, where that has IPv6. */
const neighboursOn = (network: ServedNetwork, machines: Iterable<ServedMachine>): readonly string[] =>
  hasIpv6(network)
    ? [...machines].flatMap(({ nics }) => nics.filter(({ networkId }) => networkId === network.networkId).map(({ mac }) => mac))
    : [];

/** After the host was started anew its namespaces are gone. One that cannot be made now is made when it is told of again. */
async function restore(files: ServedFiles, { ports, environment }: ServiceOptions): Promise<void> {
  for (const network of files.all('networks'))
    try {
      await ensureNamespace(network);
      await ports.plug(outerOf(network.networkId), network, new AbortController().signal);
      await addNeighbours(network.networkId, neighboursOn(network, files.all('machines')));
    } catch (error) {
      environment.logger.warn({ networkId: network.networkId, error: describeChain(error) }, 'a network is not plugged in');
    }
}

/** What tokens of machines are signed with: they hold over restarts. */
async function keyFileOf(dataDir: string, { random }: Environment): Promise<string> {
  const path = join(dataDir, 'tokens.key');
  const known = await readFile(path, 'utf8').catch(() => undefined);
  if (known?.length !== 2 * KEY_BYTES) await writeFile(path, Buffer.from(random.bytes(KEY_BYTES)).toString('hex'), { mode: 0o600 });
  return path;
}
