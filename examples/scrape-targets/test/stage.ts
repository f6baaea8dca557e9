import type { PluginSource } from '@pileus/core/kernel';
import { type Scenario, SimCloud, type SimCloudOptions } from '@pileus/core/testing';
import { type Entry, scrapeTargets, type TargetDirectory } from '../src/index.ts';

const GIB = 2 ** 30;

/** What Prometheus would see. It is the outside's: it survives the control plane. */
export class MemoryDirectory implements TargetDirectory {
  readonly entries = new Map<string, Entry>();

  async put(entry: Entry): Promise<void> {
    this.entries.set(entry.id, entry);
  }
  async remove(id: string): Promise<void> {
    this.entries.delete(id);
  }
  async list(): Promise<readonly Entry[]> {
    return [...this.entries.values()];
  }
}

/** A cloud in virtual time, with the plugin and a machine. */
export interface Stage {
  readonly sim: SimCloud;
  readonly directory: MemoryDirectory;
  readonly machineId: string;
  readonly typeId: string;
  /** Kills the control plane and starts it with these plugins. */
  restart(...plugins: readonly PluginSource[]): Promise<void>;
}

async function* content(): AsyncIterable<Uint8Array> {
  yield new Uint8Array(4096);
}

export async function openStage(options: Partial<SimCloudOptions> = {}): Promise<Stage> {
  const directory = new MemoryDirectory();
  const plugins: PluginSource[] = [...(options.plugins ?? [scrapeTargets({ directory: 'unused' }, directory)])];
  const outside = () => [...directory.entries.values()].map(({ target, labels: { name } }) => `${name} ${target}`);
  const sim = new SimCloud({ seed: 1, outside, ...options, plugins });
  sim.world.addHost('hv1');
  await sim.start();
  const zoneId = await sim.done('zone.create', { name: 'zone' });
  const clusterId = await sim.done('cluster.create', { name: 'cluster', zoneId });
  const hostId = await sim.done('host.create', { name: 'hv1', clusterId, uri: 'sim://hv1' });
  await sim.done('pool.create', { name: 'pool', driver: 'simulated', hostId });
  const imageId = await sim.done('image.create', { name: 'image' });
  await sim.environment.complete(sim.call('PUT', '/images/{id}/content', { params: { id: imageId }, bytes: content() }));
  const typeId = await sim.done('instanceType.create', { name: 'small', vcpus: 1, memoryBytes: GIB });
  const networkId = await sim.done('network.create', { name: 'lan', subnets: [{ name: 'subnet', cidr: '10.0.0.0/24' }] });
  const machineId = await sim.done('instance.create', { name: 'web-1', instanceType: 'small', imageId, nics: [{ networkId }] });
  const restart = async (...next: readonly PluginSource[]) => {
    plugins.splice(0, plugins.length, ...next);
    sim.crash();
    await sim.start();
  };
  return { sim, directory, machineId, typeId, restart };
}

/** A target on the machine. */
export const target = ({ sim, machineId }: Stage, more: object = {}): Promise<string> =>
  sim.done('scrapeTarget.create', { name: 'metrics', instanceId: machineId, port: 9100, ...more });

/** An action for the crash matrix: how to come to where it is asked, and how it is asked. */
export function scenario(action: string, setUp: (stage: Stage) => Promise<string | undefined>, input: (stage: Stage) => object): Scenario {
  let stage: Stage | undefined;
  let id: string | undefined;
  return {
    name: action,
    prepare: async (options) => {
      stage = await openStage(options);
      id = await setUp(stage);
      return stage.sim;
    },
    act: async (sim) => (await sim.submit(action, input(stage as Stage), id)).operationId,
  };
}
