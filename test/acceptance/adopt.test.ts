import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { Id } from '@pileus/sdk';
import { expect } from 'chai';
import { run } from '../../tools/system/command.ts';
import { eventually, LabCloud, MIB } from './lab-cloud.ts';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
const NODE = [process.execPath, '--disable-warning=ExperimentalWarning', '--conditions=@pileus/source'] as const;

/** docs/guides/recover-from-backup.md, on a real libvirt, with the command line. */
describe('a machine that a restored store does not know', function () {
  this.timeout(600_000);
  let lab: LabCloud;
  let machineId: Id<'instance'>;
  /** Attached while the machine ran, so that its definition does not tell of it. */
  let dataId: Id<'volume'>;
  let made: Awaited<ReturnType<typeof rows>>;
  let startedAs = '';

  const pileus = async (...args: readonly string[]) => {
    const env = { ...process.env, HOME: lab.serverDir, PILEUS_URL: lab.server.url, PILEUS_KEY: lab.server.apiKey };
    return JSON.parse(await run([join(ROOT, 'pileus'), ...args, '-o', 'json'], { env })) as never;
  };
  const rows = async () => {
    const facts = <T extends object>(row: T) => {
      const { generation, observedGeneration, revision, createdAt, updatedAt, ...rest } = row as Record<string, unknown>;
      return rest;
    };
    const { instances, volumes, nics } = lab.cloud;
    return {
      instance: facts(await instances.get(machineId)),
      volumes: (await volumes.list().toArray()).map(facts),
      nics: (await nics.list().toArray()).map(facts),
    };
  };
  /** Another QEMU would have another. */
  const processOf = async () =>
    (await lab.virsh('qemu-monitor-command', machineId, '--hmp', 'info status')) + (await lab.virsh('domid', machineId));

  before(async () => {
    lab = await LabCloud.up();
    const { path } = (await pileus('backups', 'create', '--name', 'yesterday')) as { readonly path: string };
    const { instances, volumes } = lab.cloud;
    const request = lab.instanceRequest('web-1', { description: 'naïve <&>', volumes: [{ name: 'scratch', sizeBytes: 4 * MIB }] });
    machineId = (await instances.create(request).wait()).id;
    dataId = (await volumes.create({ name: 'web-1-disk-2', sizeBytes: 8 * MIB }).wait()).id;
    await instances.attachVolume(machineId, { volumeId: dataId }).wait();
    made = await rows();
    startedAs = await processOf();
    await lab.server.stop();
    const dataDir = join(lab.serverDir, 'data');
    for (const name of await readdir(dataDir)) if (name.startsWith('pileus.db')) await rm(join(dataDir, name));
    await run([...NODE, join(ROOT, 'packages/server/src/main.ts'), '--config', join(lab.serverDir, 'config.json'), '--restore', path]);
    await lab.start();
  });
  after(() => lab?.down());

  it('is found with its disks', async () => {
    expect(await pileus('recovery', 'get')).to.include({ confirmed: false });
    const kinds = await eventually('four strays', async () => {
      const found = (await pileus('strays', 'list')) as readonly { readonly objectKind: string }[];
      return found.length === 4 ? found.map((row) => row.objectKind).sort() : undefined;
    });
    expect(kinds).to.deep.equal(['machine', 'volume', 'volume', 'volume']);
  });

  it('is taken back whole, and never stopped', async () => {
    const found = (await pileus('strays', 'list')) as readonly { readonly objectKind: string; readonly name: string }[];
    await pileus('strays', 'adopt', found.find((row) => row.objectKind === 'machine')?.name ?? '', '--wait');
    expect(await rows()).to.deep.equal(made);
    expect(await processOf()).to.equal(startedAs);
    expect(await lab.cloud.strays.list().toArray()).to.deep.equal([]);
  });

  it('is a machine like every other from then on, and goes without residue', async () => {
    expect(await pileus('recovery', 'confirm')).to.include({ confirmed: true });
    const { instances, volumes, networks } = lab.cloud;
    await instances.stop(machineId, { force: true }).wait();
    await instances.start(machineId).wait();
    await instances.delete(machineId).wait();
    for (const row of await volumes.list().toArray()) await volumes.delete(row.id).wait();
    await networks.delete(lab.networkId).wait();
    expect(await lab.virshNames('list', '--all', '--name')).to.deep.equal([]);
    expect((await lab.poolFiles()).filter((name) => /volume|seed/.test(name))).to.deep.equal([]);
  });
});
