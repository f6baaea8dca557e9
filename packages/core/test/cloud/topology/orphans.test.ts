import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { machine, smallCloud } from '../small-cloud.ts';

describe('rows that refer to nothing that lives', () => {
  it('are told, and there are none after what the kernel does', async () => {
    const at = await smallCloud();
    const { sim } = at;
    const orphans = () => sim.environment.complete(sim.call('GET', '/orphans'));
    const id = await sim.done('instance.create', machine(at));
    expect(await orphans()).to.deep.equal({ orphans: [], absentPlugins: [] });
    await sim.done('instance.delete', {}, id);
    expect(await orphans()).to.deep.equal({ orphans: [], absentPlugins: [] });
    // What only a hand in the store can do.
    const volumeId = await sim.done('volume.create', { name: 'left', sizeBytes: 8192, poolId: at.poolId });
    const nowhere = '01890000-0000-7000-8000-00000000000a';
    await sim.environment.complete(sim.kernel.observe([{ op: 'update', table: 'volume', key: volumeId, set: { poolId: nowhere } }]));
    expect(await orphans()).to.deep.equal({
      orphans: [
        {
          ...{ kind: 'volume', id: volumeId, name: 'left', state: 'available' },
          ...{ field: 'poolId', refersTo: { kind: 'pool', id: nowhere }, becomes: 'removed' },
        },
      ],
      absentPlugins: [],
    });
  });

  /** A cloud with two volumes that are attached to nowhere, one to go with that, a member of no group, a NIC of nowhere, which has no deletion of its own, and a volume in no pool. */
  async function torn() {
    const at = await smallCloud();
    const { sim } = at;
    const nowhere = '01890000-0000-7000-8000-00000000000a';
    const instanceId = await sim.done('instance.create', machine(at));
    const nic = sim.rows('nic').find((row) => row.instanceId === instanceId)?.id as string;
    const attached = await sim.done('volume.create', { name: 'attached', sizeBytes: 8192, poolId: at.poolId });
    const owned = await sim.done('volume.create', { name: 'owned', sizeBytes: 8192, poolId: at.poolId });
    const lost = await sim.done('volume.create', { name: 'lost', sizeBytes: 8192, poolId: at.poolId });
    const groupId = await sim.done('group.create', { name: 'some' });
    const member = await sim.done('membership.create', { groupId, userId: await sim.done('user.create', { name: 'one' }) });
    await sim.environment.complete(
      sim.kernel.observe([
        { op: 'update', table: 'nic', key: nic, set: { instanceId: nowhere } },
        { op: 'update', table: 'membership', key: member, set: { groupId: nowhere } },
        { op: 'update', table: 'volume', key: attached, set: { instanceId: nowhere, state: 'attached' } },
        { op: 'update', table: 'volume', key: owned, set: { instanceId: nowhere, state: 'attached', deleteWithInstance: true } },
        { op: 'update', table: 'volume', key: lost, set: { poolId: nowhere } },
      ]),
    );
    const listed = async () => {
      const { orphans } = (await sim.environment.complete(sim.call('GET', '/orphans'))) as { orphans: { id: string; becomes: string }[] };
      return orphans;
    };
    const told = async () => (await listed()).map(({ id }) => id).sort();
    const set = (key: string, value: unknown) => sim.done('settingValue.set', { key, value });
    return { sim, attached, owned, member, all: [nic, attached, owned, member, lost].sort(), left: [nic, lost].sort(), listed, told, set };
  }

  it('stay as long as nobody says otherwise, and are settled as their references say once somebody does', async () => {
    const { sim, attached, owned, member, all, left, listed, told, set } = await torn();
    await set('orphans.afterSeconds', 100);
    await sim.run(300_000);
    expect(await told()).to.deep.equal(all);
    const becomes = Object.fromEntries((await listed()).map((each) => [each.id, each.becomes]));
    const removed = Object.fromEntries(left.map((id) => [id, 'removed']));
    expect(becomes).to.deep.equal({ ...removed, [attached]: 'detached', [owned]: 'deleted', [member]: 'deleted' });
    await set('orphans.rows', 'settle');
    await sim.run(90_000);
    expect(await told()).to.deep.equal(all);
    await sim.run(60_000);
    // What would have been in the way of the deletion of its pool, and what goes with its owner alone, is left to who says so.
    expect(await told()).to.deep.equal(left);
    const row = sim.rows('volume').find(({ id }) => id === attached);
    expect([row?.state, row?.instanceId]).to.deep.equal(['available', undefined]);
    expect(sim.row('volume', owned)?.deletedAt).not.to.equal(undefined);
    expect(sim.row('membership', member)?.deletedAt).not.to.equal(undefined);
    const audit = sim.rows('audit').filter(({ resourceId }) => resourceId === member);
    expect(audit.map(({ actor, action }) => [actor, action])).to.deep.include(['system', 'membership.delete']);
  });

  it('that were in the way, or are parts of something, go where somebody says that they may, and no counter keeps them', async () => {
    const { sim, left, told, set } = await torn();
    await set('orphans.afterSeconds', 60);
    await set('orphans.rows', 'remove');
    await sim.run(300_000);
    expect(await told()).to.deep.equal([]);
    for (const id of left) expect((sim.row('nic', id) ?? sim.row('volume', id))?.deletedAt, id).not.to.equal(undefined);
    expect(await sim.quotaProblems()).to.deep.equal([]);
    // The port of the NIC was on a host.
    const ports = [...sim.world.host('hv1').networks.values()].flatMap((network) => [...network.ports.keys()]);
    expect(ports.filter((port) => left.includes(port))).to.deep.equal([]);
    expect(sim.rows('operation').filter(({ state }) => state === 'needs_attention' || state === 'running')).to.deep.equal([]);
  });

  it('are settled also behind many that cannot be', async () => {
    const { sim, attached, set } = await torn();
    const { slot: _, ...row } = sim.row('volume', attached) as Record<string, unknown>;
    const stuck = Array.from({ length: 250 }, (_, index) => {
      const id = `01000000-0000-7000-8000-${String(index).padStart(12, '0')}`;
      return { op: 'insert', table: 'volume', row: { ...row, id, name: `stuck-${index}`, state: 'available' } } as const;
    });
    await sim.environment.complete(sim.kernel.observe(stuck));
    await set('orphans.afterSeconds', 60);
    await set('orphans.rows', 'settle');
    await sim.run(120_000);
    expect(sim.row('volume', attached)).not.to.have.property('instanceId');
    expect(
      sim.rows('volume').filter(({ name, instanceId }) => String(name).startsWith('stuck') && instanceId !== undefined),
    ).to.have.length(250);
  });

  it('of a restored store stay until the restore is confirmed', async () => {
    const { sim, all, left, told, set } = await torn();
    await set('orphans.afterSeconds', 60);
    await set('orphans.rows', 'settle');
    const scratch = mkdtempSync(join(tmpdir(), 'pileus-orphans-'));
    sim.backup(join(scratch, 'before.db'));
    await sim.restore(join(scratch, 'before.db'));
    await sim.run(200_000);
    expect(await told()).to.deep.equal(all);
    await sim.environment.complete(sim.kernel.confirmRecovery());
    await sim.run(200_000);
    expect(await told()).to.deep.equal(left);
    sim.dispose();
    rmSync(scratch, { recursive: true });
  });
});
