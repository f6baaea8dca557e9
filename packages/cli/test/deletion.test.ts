import type { DeletionPreview } from '@pileus/sdk';
import { expect } from 'chai';
import { type Fixture, startFixture } from '../../sdk/test/fixture/server.ts';
import { describeEffects, formatPreview, takesMore } from '../src/deletion.ts';
import { Pileus } from './pileus.ts';

const nothing = { total: 0, hidden: false, kinds: [], rows: [] };
const machine = { kind: 'instance', id: 'i', name: 'web', state: 'running', depth: 0 };
const alone: DeletionPreview = {
  resourceKind: 'instance',
  resourceId: 'i',
  plan: 'instance.1-abc',
  recoverable: false,
  deleted: { total: 1, hidden: false, kinds: [{ kind: 'instance', total: 1 }], rows: [machine] },
  detached: nothing,
  blocked: nothing,
};
const detached = {
  total: 2,
  hidden: false,
  kinds: [{ kind: 'volume', total: 2 }],
  rows: [{ kind: 'volume', id: 'v', name: 'data', field: 'instanceId' }],
};

describe('cli: deletions', () => {
  let fixture: Fixture;
  let pileus: Pileus;
  before(async () => {
    fixture = await startFixture();
    pileus = await Pileus.at(fixture);
  });
  after(async () => {
    await fixture.close();
    await pileus.remove();
  });

  it('asks when more than the thing itself goes', () => {
    expect(takesMore(alone)).to.equal(false);
    expect(takesMore({ ...alone, detached })).to.equal(true);
    expect(takesMore({ ...alone, deleted: { ...alone.deleted, hidden: true } })).to.equal(true);
    expect(describeEffects({ ...alone, detached })).to.equal('Deleted: 1 instance. Detached: 2 volumes.');
    const addresses = { ...nothing, total: 2, kinds: [{ kind: 'reservedAddress', total: 2 }] };
    expect(describeEffects({ ...alone, detached: addresses })).to.include('Detached: 2 reservedAddresses.');
    expect(describeEffects({ ...alone, recoverable: true })).to.equal('Into the trash: 1 instance.');
    expect(describeEffects({ ...alone, blocked: { ...nothing, hidden: true } })).to.include('In the way: more that this key may not see.');
  });

  it('shows each row of a preview, and the plan', () => {
    expect(formatPreview({ ...alone, detached }, 'table').split('\n')).to.deep.equal([
      'EFFECT    KIND      NAME  ID  WHY',
      'deleted   instance  web   i   running',
      'detached  volume    data  v   instanceId',
      '',
      'Deleted: 1 instance. Detached: 2 volumes.',
      'plan instance.1-abc',
      '',
    ]);
  });

  it('previews, and deletes nothing; with the plan it deletes exactly that', async () => {
    await pileus.ok('volumes', 'create', 'data', '--size', '1GiB', '--wait');
    const shown = await pileus.ok('volumes', 'delete', 'data', '--preview');
    const plan = /^plan (.+)$/m.exec(shown)?.[1] ?? '';
    expect(shown).to.include('Deleted: 1 volume.');
    const refused = await pileus.run('volumes', 'delete', 'data', '--plan', 'volume.2-0');
    expect(refused.code).to.equal(4);
    expect(refused.err).to.include('2 → 1 of kind volume deleted');
    expect(await pileus.ok('volumes', 'delete', 'data', '--plan', plan, '--wait')).to.equal('volume data deleted\n');
  });
});
