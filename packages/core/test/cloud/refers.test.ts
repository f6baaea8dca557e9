import { expect } from 'chai';
import { isFinished, operation, type Store, sleep, type Transaction } from '../../src/kernel/index.ts';
import { codeOf } from './little-cloud.ts';
import { type SmallCloud, smallCloud } from './small-cloud.ts';

/** Before the first row of the kind is written something is deleted, for which its maker has looked already. */
function deletesBefore({ sim }: SmallCloud, kind: string, action: string, resourceId: string) {
  const { kernel } = sim;
  const { store, environment } = kernel.services as typeof kernel.services & { readonly store: Store };
  let left = 1;
  const { principal } = sim;
  Object.assign(store, {
    commit: async (transaction: Transaction) => {
      const isIt = transaction.statements.some((each) => each.op === 'insert' && each.table === kind);
      if (isIt && left-- > 0) {
        const { operationId } = await kernel.submit({ action, resourceId, input: {}, principal });
        while (!isFinished(await kernel.reader.get(operation, operationId))) await sleep(environment.timers, 1);
      }
      return Object.getPrototypeOf(store).commit.call(store, transaction);
    },
  });
  return () => expect(left, 'was deleted').to.be.at.most(0);
}

describe('what refers to something that is deleted meanwhile', () => {
  it('is refused as a role binding of a user', async () => {
    const at = await smallCloud();
    const userId = await at.sim.done('user.create', { name: 'jane' });
    const deleted = deletesBefore(at, 'roleBinding', 'user.delete', userId);
    expect(await codeOf(at.sim.submit('roleBinding.create', { name: 'hers', role: 'viewer', userId }))).to.equal('not_found');
    deleted();
    expect(at.sim.rows('roleBinding')).to.deep.equal([]);
  });

  it('is refused as an API key of a service account', async () => {
    const at = await smallCloud();
    const serviceAccountId = await at.sim.done('serviceAccount.create', { name: 'robot' });
    const deleted = deletesBefore(at, 'apiKey', 'serviceAccount.delete', serviceAccountId);
    const asked = at.sim.call('POST', '/api-keys', { body: { name: 'its', serviceAccountId } });
    // What is begun here is written or not; the API answers a refusal as such.
    await at.sim.environment.complete(asked);
    deleted();
    expect(at.sim.rows('apiKey')).to.deep.equal([]);
  });

  it('is refused as a plan of backups of a volume', async () => {
    const at = await smallCloud();
    await at.sim.done('backupStore.create', { name: 'kept', driver: 'simulated' });
    const volumeId = await at.sim.done('volume.create', { name: 'extra', sizeBytes: 8192, poolId: at.poolId });
    const deleted = deletesBefore(at, 'backupPlan', 'volume.delete', volumeId);
    expect(await codeOf(at.sim.submit('backupPlan.create', { name: 'nightly', volumeId, schedule: '0 3 * * *' }))).to.equal('not_found');
    deleted();
    expect(at.sim.rows('backupPlan')).to.deep.equal([]);
  });
});
