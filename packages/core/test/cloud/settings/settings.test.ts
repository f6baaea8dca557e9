import { expect } from 'chai';
import { Type } from 'typebox';
import { defineSetting, type Setting } from '../../../src/kernel/index.ts';
import { comfort, Stage } from './stage.ts';

const KEY = 'hosts.shutdownSeconds';

describe('settings', () => {
  it('hold where they are set and below, and show where they come from and what they override', async () => {
    const at = await Stage.open({ presets: { [KEY]: 50 } });
    expect(await at.chain(KEY, 'host/hv1')).to.deep.equal(['50 configuration', '60 default']);
    for (const [value, place] of [[40], [30, 'zone'], [20, 'host']] as const)
      expect((await at.set(KEY, value, place)).status).to.equal(200);
    expect(await at.chain(KEY)).to.deep.equal(['40 global', '50 configuration', '60 default']);
    expect(await at.chain(KEY, 'cluster/cluster')).to.deep.equal(['30 zone zone', '40 global', '50 configuration', '60 default']);
    const all = ['20 host hv1', '30 zone zone', '40 global', '50 configuration', '60 default'];
    expect(await at.chain(KEY, 'host/hv1')).to.deep.equal(all);
    expect(await at.chain(KEY, `host/${at.hostId}`)).to.deep.equal(all);
    const [held] = (await at.json('GET', 'setting-values?level=host')).items;
    expect((await at.effective(KEY, 'host/hv1')).items[0]).to.include({ valueId: held.id, resourceId: at.hostId });
    expect((await at.reset(held.id)).status).to.equal(200);
    expect(await at.chain(KEY, 'host/hv1')).to.deep.equal(all.slice(1));
  });

  it('are listed with what they take', async () => {
    const at = await Stage.open({ presets: { [KEY]: 50 } });
    await at.set(KEY, 30, 'zone');
    const { items } = await at.json('GET', 'settings');
    const [racks] = items.filter(({ key }: { key: string }) => key === comfort.name);
    expect(racks).to.deep.include({
      known: true,
      plugin: 'racks',
      default: { degrees: 20 },
      levels: ['global', 'zone', 'host'],
      values: 0,
    });
    expect(racks.schema.properties.degrees).to.include({ type: 'integer', minimum: 10 });
    const [shutdown] = items.filter(({ key }: { key: string }) => key === KEY);
    expect(shutdown).to.deep.include({ plugin: 'compute', default: 60, configured: 50, tenantsRead: true, values: 1 });
  });

  const wrong: Readonly<Record<string, readonly [object, string, string]>> = {
    'a value of another type': [{ key: KEY, value: 'long' }, 'invalid_input', '/value'],
    'a value out of range': [{ key: KEY, value: -1 }, 'invalid_input', '/value'],
    'a part of a value out of range': [{ key: comfort.name, value: { degrees: 50 } }, 'invalid_input', '/value/degrees'],
    'an unknown part of a value': [{ key: comfort.name, value: { degrees: 20, loud: true } }, 'invalid_input', '/value/loud'],
    'what its plugin does not take': [{ key: comfort.name, value: { degrees: 12, quiet: true } }, 'invalid_input', '/value'],
    null: [{ key: KEY, value: null }, 'invalid_input', '/value'],
    'a key that nobody declares': [{ key: 'hosts.colour', value: 1 }, 'invalid_input', '/key'],
    'a level that it has not': [{ key: comfort.name, value: { degrees: 20 }, resourceKind: 'cluster' }, 'invalid_input', '/resourceKind'],
    'half of a resource': [{ key: KEY, value: 1, resourceKind: 'host', resourceId: undefined }, 'invalid_input', '/resourceId'],
    'a resource that is not there': [
      { key: KEY, value: 1, resourceKind: 'host', resourceId: '00000000-0000-7000-8000-00000000000a' },
      'not_found',
      '/resourceId',
    ],
  };
  for (const [what, [input, code, pointer]] of Object.entries(wrong))
    it(`refuse ${what}, and change nothing`, async () => {
      const at = await Stage.open();
      const resourceId = 'resourceKind' in input && !('resourceId' in input) ? { resourceId: at.cloud.clusterId } : {};
      const before = await at.cloud.revision();
      expect(await at.json('POST', 'setting-values/actions/set', { body: { ...input, ...resourceId } })).to.include({ code, pointer });
      expect(await at.cloud.revision()).to.equal(before);
    });

  it('are changed by operations: audited, repeatable, rehearsed, guarded by the generation', async () => {
    const at = await Stage.open();
    const headers = { 'idempotency-key': 'one' };
    const rehearsed = await at.json('POST', 'setting-values/actions/set?dryRun=true', { body: { key: KEY, value: 5 } });
    expect(rehearsed).to.deep.include({ accepted: true, steps: ['look', 'change'] });
    expect(await at.changes()).to.deep.equal([]);
    const first = await at.set(KEY, 30, undefined, { headers });
    const again = await at.set(KEY, 30, undefined, { headers });
    expect(again.operationId).to.equal(first.operationId);
    const path = `setting-values/${first.resourceId}`;
    const patch = (value: number, generation: number) =>
      at.json('PATCH', path, { body: { value }, headers: { 'if-match': `"${generation}"` } });
    expect((await patch(20, 1)).status).to.equal(200);
    expect(await patch(10, 1)).to.include({ status: 412, code: 'precondition_failed' });
    expect((await at.set(KEY, 15)).resourceId, 'the row that is there').to.equal(first.resourceId);
    expect(await at.changes()).to.deep.equal([
      `system: ${KEY} global: undefined -> 30`,
      `system: ${KEY} global: 30 -> 20`,
      `system: ${KEY} global: 20 -> 15`,
    ]);
    const { items } = await at.json('GET', `audit?resourceId=${first.resourceId}`);
    expect(items.map(({ action }: { action: string }) => action)).to.have.members([
      'settingValue.set',
      'settingValue.update',
      'settingValue.set',
    ]);
    const [change] = (await at.json('GET', 'setting-changes')).items;
    expect(change.operationId).to.equal(first.operationId);
  });

  it('given the value that they have are left alone', async () => {
    const at = await Stage.open();
    await at.set(comfort.name, { degrees: 25, quiet: true });
    const [before] = at.sim.rows('settingValue');
    expect((await at.set(comfort.name, { quiet: true, degrees: 25 })).status).to.equal(200);
    expect(at.sim.rows('settingValue')).to.deep.equal([before]);
    expect(await at.changes()).to.have.length(1);
    for (let time = 0; time < 2; time += 1) expect((await at.reset(String(before?.id))).status).to.equal(200);
    expect(await at.changes()).to.have.length(2);
  });

  it('keep their history when they are reset, and are rolled back to what they were before any change', async () => {
    const at = await Stage.open();
    await at.set(KEY, 30, 'host');
    const { resourceId } = await at.set(KEY, 20, 'host');
    await at.reset(resourceId);
    const ids = (await at.json('GET', `setting-changes?filter=key = '${KEY}' and resourceId = '${at.hostId}'&sort=createdAt`)).items.map(
      ({ id }: { id: string }) => id,
    );
    const rollback = (index: number) => at.json('POST', `setting-changes/${ids[index]}/rollback`, { body: {} });
    const here = async () => (await at.chain(KEY, 'host/hv1'))[0];
    expect(ids).to.have.length(3);
    await rollback(2);
    expect(await here()).to.equal('20 host hv1');
    await rollback(1);
    expect(await here()).to.equal('30 host hv1');
    await rollback(0);
    expect(await here()).to.equal('60 default');
    await rollback(0);
    expect((await at.changes()).slice(2).map((line) => line.replace(`system: ${KEY} host hv1: `, ''))).to.deep.equal([
      '20 -> undefined',
      'undefined -> 20',
      '20 -> 30',
      '30 -> undefined',
    ]);
  });

  it('changed side by side come one after the other, each with what it found', async () => {
    const at = await Stage.open();
    const { kernel, principal } = at.sim;
    const accepted = await at.sim.environment.complete(
      Promise.all(
        [1, 2, 3, 4].map((value) => kernel.submit({ action: 'settingValue.set', input: { key: KEY, value, ...at.on('zone') }, principal })),
      ),
    );
    for (const { operationId } of accepted) await at.sim.ended(operationId);
    const steps = (await at.changes()).map((line) => line.split(': ').at(-1)?.split(' -> '));
    expect(steps).to.have.length(4);
    expect(steps.map((step) => step?.[0])).to.deep.equal(['undefined', ...steps.slice(0, -1).map((step) => step?.[1])]);
    expect(at.sim.rows('settingValue')).to.have.length(1);
  });

  it('go with their resource, and their history stays', async () => {
    const at = await Stage.open();
    await at.set(KEY, 30, 'host');
    await at.set(KEY, 40, 'zone');
    await at.sim.done('host.disable', {}, at.hostId);
    await at.sim.done('host.delete', {}, at.hostId);
    expect(at.sim.rows('settingValue').map(({ level }) => level)).to.deep.equal(['zone']);
    const [change] = (await at.json('GET', 'setting-changes?level=host')).items;
    expect(await at.json('POST', `setting-changes/${change.id}/rollback`, { body: {} })).to.include({ status: 200 });
    expect(at.sim.counters()).not.to.have.any.keys(`attached/settingValue/${at.hostId}`);
  });

  it('are in use after a crash as they were before', async () => {
    const at = await Stage.open();
    await at.set(KEY, 30, 'zone');
    const { resourceId } = await at.set(KEY, 20, 'host');
    at.sim.crash();
    await at.sim.start();
    expect((await at.chain(KEY, 'host/hv1'))[0]).to.equal('20 host hv1');
    await at.reset(resourceId);
    at.sim.crash();
    await at.sim.start();
    expect((await at.chain(KEY, 'host/hv1'))[0]).to.equal('30 zone zone');
  });

  it('of a plugin that is not there are kept, shown as unknown, not used, and can be reset', async () => {
    let declared: readonly Setting[] = [comfort];
    const at = await Stage.open({ plugins: [() => ({ id: 'racks', version: '1', settings: declared })] });
    const { resourceId } = await at.set(comfort.name, { degrees: 30 }, 'zone');
    await at.set(comfort.name, { degrees: 35 });
    const again = async (settings: readonly Setting[]) => {
      declared = settings;
      at.sim.crash();
      await at.sim.start();
    };
    await again([]);
    const { items } = await at.json('GET', 'settings');
    expect(items.filter(({ known }: { known: boolean }) => !known)).to.deep.equal([{ key: comfort.name, known: false, values: 2 }]);
    expect(await at.effective(comfort.name, 'zone/zone')).to.include({ code: 'invalid_input' });
    expect(await at.json('PATCH', `setting-values/${resourceId}`, { body: { value: { degrees: 20 } } })).to.include({ code: 'conflict' });
    const [change] = (await at.json('GET', 'setting-changes?level=global')).items;
    await again([comfort]);
    expect(await at.chain(comfort.name, 'zone/zone')).to.deep.equal([
      '{"degrees":30} zone zone',
      '{"degrees":35} global',
      '{"degrees":20} default',
    ]);
    await again([]);
    expect((await at.reset(resourceId)).status).to.equal(200);
    expect((await at.json('POST', `setting-changes/${change.id}/rollback`, { body: {} })).status).to.equal(200);
    expect(at.sim.rows('settingValue')).to.deep.equal([]);
  });

  it('that do not fit what a newer plugin declares are not used', async () => {
    const narrow = defineSetting({
      name: comfort.name,
      description: 'How hosts are kept.',
      schema: Type.Object({ degrees: Type.Integer({ minimum: 10, maximum: 25 }) }),
      default: { degrees: 20 },
      levels: ['zone'],
    });
    let declared = comfort as Setting;
    const at = await Stage.open({ plugins: [() => ({ id: 'racks', version: '1', settings: [declared] })] });
    await at.set(comfort.name, { degrees: 35 });
    await at.set(comfort.name, { degrees: 22 }, 'zone');
    await at.set(comfort.name, { degrees: 21 }, 'host');
    declared = narrow;
    at.sim.crash();
    await at.sim.start();
    expect(await at.chain(comfort.name, 'host/hv1').catch(() => 'no level of it')).to.equal('no level of it');
    expect(await at.chain(comfort.name, 'zone/zone')).to.deep.equal(['{"degrees":22} zone zone', '{"degrees":20} default']);
    // The row that has the other value is given this one.
    expect((await at.set(comfort.name, { degrees: 24 })).status).to.equal(200);
    expect(await at.chain(comfort.name)).to.deep.equal(['{"degrees":24} global', '{"degrees":20} default']);
  });
});
