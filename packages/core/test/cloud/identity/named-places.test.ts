import { expect } from 'chai';
import { type Id, isCloudError, type Principal } from '../../../src/kernel/index.ts';
import type { SimCloud } from '../../../testing/index.ts';
import { machine, type SmallCloud, smallCloud } from '../small-cloud.ts';

const ABSENT = '00000000-0000-7000-8000-00000000ffff';
const UUID = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/g;

/** Sees none of the operator's places. */
const UNSEEN: ReadonlySet<string> = new Set(['pool.read', 'host.read', 'project.any']);

describe('a pool or a host in the request of who does not see it', () => {
  let at: SmallCloud;
  let sim: SimCloud;
  let farHostId: string;
  let farPoolId: string;
  let volumeId: string;
  let backupId: string;
  before(async () => {
    at = await smallCloud();
    sim = at.sim;
    sim.world.addHost('hv2');
    const { clusterId } = sim.row('host', at.hostId) as { clusterId: string };
    farHostId = await sim.done('host.create', { name: 'hv2', clusterId, uri: 'sim://hv2' });
    farPoolId = await sim.done('pool.create', { name: 'pool-2', driver: 'simulated', hostId: farHostId, settings: {} });
    await sim.done('backupStore.create', { name: 'store', driver: 'simulated' });
    volumeId = await sim.done('volume.create', { sizeBytes: 8192, poolId: at.poolId });
    backupId = await sim.done('backup.create', { volumeId });
    await sim.done('instance.create', machine(at, { hostId: at.hostId }));
  });
  after(() => sim.dispose());

  const tenant = (more: Partial<Principal> = {}): Principal => ({ ...sim.principal, allows: (one) => !UNSEEN.has(one), ...more });
  const outcome = (action: string, input: object, resourceId?: string, principal = tenant()): Promise<string> =>
    sim.environment.complete(sim.kernel.submit({ action, input, principal, ...(resourceId === undefined ? {} : { resourceId }) })).then(
      async ({ operationId }) => (await sim.ended(operationId)).state,
      (error: unknown) => {
        if (!isCloudError(error)) throw error;
        return `${error.code} ${error.pointer} ${error.publicMessage.replaceAll(UUID, 'ID')}`;
      },
    );

  const requests: readonly (readonly [action: string, field: 'poolId' | 'hostId', input: (id: string) => object, about?: () => string])[] =
    [
      ['volume.create', 'poolId', (poolId) => ({ sizeBytes: 4096, poolId })],
      ['volume.create', 'hostId', (hostId) => ({ sizeBytes: 4096, hostId })],
      ['volume.move', 'poolId', (poolId) => ({ poolId }), () => volumeId],
      ['backup.restore', 'poolId', (poolId) => ({ poolId }), () => backupId],
      ['backup.restore', 'hostId', (hostId) => ({ hostId }), () => backupId],
      ['instance.create', 'hostId', (hostId) => machine(at, { name: 'vm-2', hostId })],
      ['network.create', 'hostId', (hostId) => ({ driver: 'simulated', hostId, subnets: [{ cidr: '10.7.0.0/24' }] })],
    ];
  for (const [action, field, input, about] of requests) {
    it(`is not there, as ${field} of ${action}`, async () => {
      const refused = `not_found /${field} No ${field.slice(0, -2)} ID.`;
      const far = field === 'poolId' ? farPoolId : farHostId;
      for (const id of [far, ABSENT]) expect(await outcome(action, input(id), about?.())).to.equal(refused);
    });

    it(`is, as ${field} of ${action}, for who has something there`, async () => {
      const near = field === 'poolId' ? at.poolId : at.hostId;
      expect(await outcome(action, input(near), about?.())).to.equal('succeeded');
    });
  }

  it('is not there by what others have, or by what he may not read', async () => {
    const accountId = (sim.row('project', sim.principal.projectId) as { accountId: string }).accountId;
    const projectId = (await sim.done('project.create', { name: 'other', accountId })) as Id<'project'>;
    const input = { sizeBytes: 4096, poolId: at.poolId };
    const blind = tenant({ allows: (one) => !UNSEEN.has(one) && one !== 'volume.read' });
    const limited = tenant({ limits: (one) => (one === 'volume.read' ? { field: 'name', op: '=', value: 'x' } : undefined) });
    for (const principal of [tenant({ projectId }), blind, limited])
      expect(await outcome('volume.create', input, undefined, principal)).to.equal('not_found /poolId No pool ID.');
  });

  it('is there for the operator', async () => {
    expect(await outcome('volume.create', { sizeBytes: 4096, poolId: farPoolId }, undefined, sim.principal)).to.equal('succeeded');
  });

  describe('is not named in an answer either', () => {
    const SIZE = 2 ** 50;
    const refusal = async (action: string, input: object, principal: Principal, resourceId?: string) => {
      const request = { action, input, principal, ...(resourceId === undefined ? {} : { resourceId }) };
      const error: unknown = await sim.environment.complete(sim.kernel.submit(request)).then(
        () => undefined,
        (why: unknown) => why,
      );
      if (!isCloudError(error)) throw error;
      return { code: error.code, params: error.params };
    };
    const wide = () => machine(at, { name: 'vm-3', nics: [], rootVolume: { sizeBytes: SIZE } });

    it('that says why there is no room', async () => {
      const notes = { code: 'no_capacity', params: {} };
      expect(await refusal('volume.create', { sizeBytes: SIZE }, tenant())).to.deep.equal(notes);
      expect(await refusal('volume.resize', { sizeBytes: SIZE }, tenant(), volumeId)).to.deep.equal(notes);
      expect(await refusal('instance.create', wide(), tenant())).to.deep.equal({ code: 'no_capacity', params: { reasons: ['storage'] } });
    });

    it('but in that of the operator', async () => {
      const pools = await refusal('volume.create', { sizeBytes: SIZE }, sim.principal);
      expect(pools.params?.reasons).to.have.all.keys('pool-1', 'pool-2');
      const hosts = await refusal('instance.create', wide(), sim.principal);
      expect(hosts.params?.reasons).to.have.all.keys('hv1', 'hv2');
    });

    it('in the notes of an operation, whether it waits for a place or has found one', async () => {
      const begun = async (name: string, principal: Principal, more: object = {}) => {
        const input = machine(at, { name, nics: [], hostLabels: { disk: 'nvme' }, ...more });
        return (await sim.environment.complete(sim.kernel.submit({ action: 'instance.create', input, principal }))).operationId;
      };
      const note = (operationId: string) => (sim.row('operation', operationId) as { notes?: { placement?: unknown } }).notes?.placement;
      const whenFull = 'wait';
      const [his, ours] = [await begun('vm-4', tenant(), { whenFull }), await begun('vm-5', sim.principal, { whenFull })];
      expect(note(his)).to.deep.equal({ waiting: 'No host can take it.', reasons: ['labels'] });
      expect(note(ours)).to.have.nested.property('reasons.hv1', 'lacks the label disk=nvme');
      await sim.done('host.update', { labels: { disk: 'nvme' } }, at.hostId);
      for (const each of [his, ours]) expect((await sim.ended(each)).state).to.equal('succeeded');
      expect(note(his)).to.deep.equal({ refused: ['labels'] });
      expect(note(ours)).to.deep.include({ chosen: 'hv1', refused: { hv2: 'lacks the label disk=nvme' } });
      const placed = await begun('vm-6', tenant());
      expect(note(placed)).to.deep.equal({ refused: ['labels'] });
      expect((await sim.ended(placed)).state).to.equal('succeeded');
    });
  });
});
