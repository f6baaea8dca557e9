import { expect } from 'chai';
import { type CloudError, create, isCloudError, type Principal, quotaKey, systemTag } from '../../../src/kernel/index.ts';
import type { SimCloud } from '../../../testing/index.ts';
import { isSigned, opened, SECRET, URL } from './receiver.ts';

const DAY_MS = 24 * 3600_000;
const rows = (sim: SimCloud, table: string) => sim.rows(table);
const codeOf = (work: Promise<unknown>) =>
  work.then(
    () => 'done',
    (error: unknown) => (isCloudError(error) ? error.code : String(error)),
  );

describe('webhooks', () => {
  it('are told of what they want, signed, as CloudEvents, and of nothing from before', async () => {
    const { sim, receiver, make, say, b } = await opened();
    await say(b, 'before');
    await make('hook');
    await say(b, 'one');
    await sim.run(1000);
    expect(receiver.told).to.deep.equal({ b: ['one'] });
    const [first] = receiver.taken;
    if (first === undefined) throw new Error('nothing came');
    expect(isSigned(first)).to.equal(true);
    expect(first).to.deep.include({ url: URL, publicOnly: true });
    expect(first.headers['content-type']).to.match(/^application\/cloudevents\+json/);
    expect(first.event).to.include({ specversion: '1.0', id: first.id, type: 'pileus.webhook.updated', subject: `webhook/${b}` });
    expect(first.event).to.include({ datacontenttype: 'application/json', projectid: sim.principal.projectId });
    expect(Date.parse(first.event.time)).to.be.above(0);
    expect(first.event.data.row).to.include({ id: b, description: 'one' });
    expect(first.body).not.to.include(SECRET);
    expect(rows(sim, 'eventQueue')).to.deep.equal([]);
  });

  it('count among webhooks, and are refused where there may be no more', async () => {
    const { sim, make, b } = await opened();
    const { projectId } = sim.principal;
    const used = () => sim.counters().find(({ key }) => key === quotaKey({ scope: 'project', id: projectId, counter: 'webhooks' }))?.value;
    const before = rows(sim, 'webhook').length;
    expect(used()).to.equal(before);
    await sim.done('project.setQuota', { limits: { webhooks: before } }, projectId);
    expect(await codeOf(make('hook'))).to.equal('quota_exceeded');
    await sim.done('webhook.disable', {}, b);
    expect(used()).to.equal(before);
    await sim.done('webhook.delete', {}, b);
    expect(used()).to.equal(before - 1);
    expect(await codeOf(make('hook'))).to.equal('done');
  });

  it('choose by state and by what has happened', async () => {
    const { sim, receiver, make, b } = await opened();
    await make('hook', { states: ['disabled'] });
    await make('other', { url: `${URL}/all`, types: ['created', 'deleted'] });
    await make('d', { kinds: ['nic'] });
    await sim.done('webhook.disable', {}, b);
    await sim.done('webhook.delete', {}, b);
    await sim.run(1000);
    const told = receiver.taken.map(({ url, event }) => [url, event.type, event.data.row.name, event.data.row.state]);
    expect(told.filter(([url]) => url === URL)).to.deep.equal([[URL, 'pileus.webhook.updated', 'b', 'disabled']]);
    expect(told.filter(([url]) => url !== URL)).to.deep.equal([
      [`${URL}/all`, 'pileus.webhook.created', 'd', 'available'],
      [`${URL}/all`, 'pileus.webhook.deleted', 'b', 'deleted'],
    ]);
  });

  it('choose by a filter over the fields of a kind', async () => {
    const { sim, receiver, make, say, b, c } = await opened();
    const hook = await make('hook', { when: "name = 'b' and description like 'wanted%'" });
    for (const text of ['wanted 1', 'other', 'wanted 2']) for (const id of [b, c]) await say(id, text);
    await sim.run(1000);
    expect(receiver.told).to.deep.equal({ b: ['wanted 1', 'wanted 2'] });
    const refused = async (input: object) => codeOf(sim.submit('webhook.update', input, hook));
    expect(await refused({ when: 'nothing = 1' })).to.equal('invalid_input');
    const told = async (input: object) =>
      sim.submit('webhook.update', input, hook).catch((error: CloudError) => `${error.pointer} ${error.publicMessage}`);
    expect(await told({ when: 'nothing = 1' })).to.match(/^\/when There is no field nothing/);
    expect(await told({ states: ['available', 'failed'] })).to.equal(
      '/states/1 No webhook is ever failed; there is deleted, available, disabled, failing, deleting.',
    );
    expect(await refused({ kinds: ['nic', 'volume'] })).to.equal('invalid_input');
    expect(await refused({ kinds: ['nic', 'volume'], when: null })).to.equal('done');
  });

  it('are told nothing of what is there for the operator alone', async () => {
    const { sim, receiver, make, b } = await opened();
    await make('hook', { kinds: ['systemTag'], types: ['created'] });
    for (const adminOnly of [true, false]) {
      const id = sim.kernel.services.ids.mint('systemTag') as never;
      const { projectId } = sim.principal;
      const about = { resourceKind: 'webhook', resourceId: b, tag: 'racks.only', token: `racks.only=${adminOnly}`, value: `${adminOnly}` };
      const made = sim.kernel.observe([create(systemTag, { id, name: id, projectId, ...about, adminOnly })]);
      expect((await sim.environment.complete(made)).ok).to.equal(true);
    }
    await sim.run(1000);
    expect(receiver.taken.map(({ event }) => event.data.row.value)).to.deep.equal(['false']);
  });

  it('that were all gone before a restart, and of which one is made after it, are told from then on', async () => {
    const { sim, receiver, make, say, b } = await opened();
    for (const row of sim.rows('webhook')) if (row.id !== b) await sim.done('webhook.delete', {}, String(row.id));
    const hook = await make('hook');
    await say(b, 'one');
    await sim.run(1000);
    await sim.done('webhook.delete', {}, hook);
    sim.crash();
    await sim.start();
    await say(b, 'two');
    await make('again');
    await say(b, 'three');
    await sim.run(1000);
    expect(receiver.told.b).to.deep.equal(['one', 'three']);
  });

  it('get what failed again, later each time, in order for each resource, and no other waits for it', async () => {
    const { sim, receiver, make, say, b, c } = await opened();
    await make('hook');
    receiver.answer = ({ event }) => (event.data.row.name === 'b' && receiver.received.length < 8 ? 500 : 204);
    for (const text of ['1', '2', '3']) {
      await say(b, text);
      await say(c, text);
    }
    await sim.run(2000);
    expect(receiver.told).to.deep.equal({ c: ['1', '2', '3'] });
    await sim.run(DAY_MS);
    expect(receiver.told).to.deep.equal({ b: ['1', '2', '3'], c: ['1', '2', '3'] });
    const tries = receiver.received.filter(({ event }) => event.data.row.name === 'b' && event.data.row.description === '1');
    expect(new Set(tries.map(({ id }) => id)).size).to.equal(1);
    expect(tries).to.have.length.above(1);
    expect(tries.every((each) => isSigned(each))).to.equal(true);
    const pauses = tries.slice(1).map(({ atMs }, index) => atMs - (tries[index]?.atMs ?? 0));
    for (const [index, pauseMs] of pauses.entries()) {
      const meantMs = 5000 * 4 ** index;
      expect(pauseMs).to.be.within(meantMs * 0.75, meantMs * 1.25 + 100);
    }
    expect(rows(sim, 'eventQueue')).to.deep.equal([]);
  });

  it('leave a dead letter for what is never taken, which is replayed with the same id', async () => {
    const { sim, receiver, make, say, b, c } = await opened();
    await make('hook');
    receiver.answer = ({ event }) => (event.data.row.description === 'bad' ? 400 : 204);
    await say(b, 'bad');
    await say(b, 'good');
    await say(c, 'good');
    await sim.run(3 * DAY_MS);
    expect(receiver.told).to.deep.equal({ b: ['good'], c: ['good'] });
    const dead = rows(sim, 'delivery');
    expect(dead).to.have.length(1);
    expect(dead[0]).to.include({ state: 'dead', attempts: 10, resourceId: b, lastError: 'It answered with status 400.' });
    const tries = receiver.received.filter(({ event }) => event.data.row.description === 'bad');
    expect(tries).to.have.length(10);
    receiver.answer = () => 204;
    await sim.done('delivery.replay', {}, String(dead[0]?.id));
    await sim.run(1000);
    expect(receiver.taken.at(-1)).to.include({ id: tries[0]?.id, body: tries[0]?.body });
    expect(rows(sim, 'delivery')).to.deep.equal([]);
  });

  it('send the query of their URL, and show it nowhere', async () => {
    const { sim, receiver, make, say, b } = await opened();
    const [first, second] = ['token=FIRST-PLANTED&x=%20', 'token=SECOND-PLANTED'];
    const hook = await make('hook', { urlQuery: first });
    await say(b, 'one');
    await sim.run(1000);
    await sim.done('webhook.update', { urlQuery: second, description: 'changed' }, hook);
    await say(b, 'two');
    await sim.run(1000);
    receiver.answer = () => 410;
    await say(b, 'three');
    await sim.run(1000);
    expect(receiver.received.map(({ url }) => url)).to.include.members([`${URL}?${first}`, `${URL}?${second}`]);
    expect(receiver.received.at(-1)?.url).to.equal(`${URL}?${second}`);
    expect(rows(sim, 'delivery')[0]).to.include({ url: URL, state: 'dead' });
    const [changed] = receiver.taken.filter(({ event }) => event.data.row.description === 'changed');
    expect(changed?.event.data.row).to.include({ url: URL });
    const tables = ['webhook', 'delivery', 'audit', 'operation', 'journal', 'eventQueue', 'eventHook', 'sealed', 'idempotency'];
    for (const table of tables) expect(JSON.stringify(rows(sim, table)), table).not.to.include('PLANTED');
    for (const { body } of receiver.received) expect(body).not.to.include('PLANTED');
    const audited = JSON.stringify(rows(sim, 'audit').filter(({ action }) => String(action).startsWith('webhook.')));
    expect(audited).to.include('"urlQuery":"(secret)"').and.include('"urlQuery":{"from":"(secret)","to":"(secret)"}');
    receiver.answer = () => 204;
    await sim.done('webhook.enable', {}, hook);
    await sim.done('webhook.update', { urlQuery: null }, hook);
    await say(b, 'four');
    await sim.run(1000);
    expect(receiver.taken.at(-1)?.url).to.equal(URL);
    await sim.done('webhook.delete', {}, hook);
    // Of b and c there is a secret each, of the one that is gone nothing.
    expect(rows(sim, 'sealed')).to.have.length(2);
  });

  it('have no query in their URL, and one apart that could be there', async () => {
    const { sim, make, b } = await opened();
    const told = (work: Promise<unknown>) =>
      work.then(
        () => 'done',
        (error: CloudError) => `${error.code} ${error.pointer} ${error.publicMessage}`,
      );
    const before = rows(sim, 'webhook');
    for (const url of [`${URL}?token=PLANTED`, `${URL}?`, `${URL}#PLANTED`])
      for (const work of [make('hook', { url }), sim.submit('webhook.update', { url }, b)])
        expect(await told(work), url)
          .to.match(/^invalid_input \/url The URL may have no query/)
          .and.not.include('PLANTED');
    for (const urlQuery of ['', '?token=PLANTED', 'token=PLANTED#', 'token=PLAN TED'])
      for (const work of [make('hook', { urlQuery }), sim.submit('webhook.update', { urlQuery }, b)])
        expect(await told(work), urlQuery)
          .to.match(/^invalid_input \/urlQuery A query is what is behind/)
          .and.not.include('PLAN');
    expect(rows(sim, 'webhook')).to.deep.equal(before);
  });

  it('that take nothing for long fail, are told nothing more, and get what they missed by replay', async () => {
    const { sim, receiver, make, say, b, c } = await opened();
    const hook = await make('hook');
    await sim.run(1000);
    receiver.answer = () => 503;
    for (let index = 0; index < 6; index += 1) for (const id of [b, c]) await say(id, String(index));
    await sim.run(20 * DAY_MS);
    const row = sim.row('webhook', hook);
    expect(row).to.deep.include({ state: 'failing' });
    expect(row?.stateReason).to.include({ code: 'no_answer', message: 'It answered with status 503.' });
    expect(rows(sim, 'delivery')).to.have.length(10);
    const tries = receiver.received.length;
    await say(b, 'missed');
    await sim.run(DAY_MS);
    expect(receiver.received).to.have.length(tries);
    receiver.answer = () => 204;
    await sim.done('webhook.enable', {}, hook);
    await sim.run(5000);
    expect(receiver.told).to.deep.include({ b: ['5'], c: ['5'] });
    await sim.done('webhook.replay', { after: row?.missedAfter }, hook);
    await sim.run(1000);
    expect(receiver.told).to.deep.include({ b: ['5', 'missed'], c: ['5'] });
  }).timeout(300_000);

  it('that say they are gone are asked no more', async () => {
    const { sim, receiver, make, say, b } = await opened();
    const hook = await make('hook');
    receiver.answer = () => 410;
    await say(b, 'one');
    await sim.run(1000);
    expect(sim.row('webhook', hook)).to.deep.include({ state: 'failing' });
    expect(receiver.received).to.have.length(1);
  });

  it('that do not answer are waited for a while', async () => {
    const { sim, receiver, make, say, b } = await opened();
    await make('hook');
    receiver.answer = () => (receiver.received.length === 0 ? undefined : 204);
    await say(b, 'one');
    await sim.run(10_000);
    expect(receiver.taken).to.deep.equal([]);
    await sim.run(20_000);
    expect(receiver.told).to.deep.equal({ b: ['one'] });
  });

  it('leave nothing behind when they are deleted', async () => {
    const { sim, receiver, make, say, b } = await opened();
    const sealed = rows(sim, 'sealed').length;
    const hook = await make('hook');
    receiver.answer = () => 500;
    for (const text of ['1', '2', '3']) await say(b, text);
    expect(rows(sim, 'eventQueue')).to.have.length(3);
    await sim.done('webhook.delete', {}, hook);
    await sim.run(DAY_MS);
    expect(rows(sim, 'eventQueue')).to.deep.equal([]);
    expect(rows(sim, 'delivery')).to.deep.equal([]);
    expect(rows(sim, 'sealed')).to.have.length(sealed);
  });

  it('are signed with another secret from the moment it is changed', async () => {
    const { sim, receiver, make, say, b } = await opened();
    const hook = await make('hook', { states: ['available'] });
    const secret = `whsec_${Buffer.alloc(24, 9).toString('base64')}`;
    await sim.done('webhook.update', { secret }, hook);
    await sim.run(1000);
    receiver.received.length = 0;
    await say(b, 'one');
    await sim.run(1000);
    expect(receiver.taken.map((each) => isSigned(each, secret))).to.deep.equal([true]);
    expect(
      rows(sim, 'audit')
        .map((row) => JSON.stringify(row))
        .join(),
    ).not.to.include('whsec_');
  });

  it('hear of their own project alone', async () => {
    const { sim, receiver, say, b } = await opened();
    const accountId = (await sim.done('account.create', { name: 'acme' })) as Principal['accountId'];
    const projectId = (await sim.done('project.create', { name: 'web', accountId })) as Principal['projectId'];
    const stranger: Principal = { ...sim.principal, actor: 'stranger', projectId, accountId };
    const input = { name: 'theirs', url: `${URL}/theirs`, kinds: ['webhook', 'operation'], secret: SECRET };
    const { operationId } = await sim.environment.complete(sim.kernel.submit({ action: 'webhook.create', input, principal: stranger }));
    await sim.ended(operationId);
    await say(b, 'one');
    await sim.run(1000);
    const foreign = receiver.received.filter(({ event }) => event.projectid !== stranger.projectId);
    expect(foreign).to.deep.equal([]);
    expect(receiver.received.length).to.be.above(0);
  });

  it('are refused what their maker may not read, and where they may not lead', async () => {
    const { sim } = await opened({ config: { webhookUrls: ['http://10.0.0.7/hooks/'] } });
    const ask = (input: object, principal: Partial<Principal> = {}) =>
      codeOf(
        sim.environment.complete(
          sim.kernel.submit({
            action: 'webhook.create',
            input: { url: URL, kinds: ['webhook'], secret: SECRET, ...input },
            principal: { ...sim.principal, ...principal },
          }),
        ),
      );
    // Kinds of the cloud are for operators, those of accounts for nobody.
    expect(await ask({ kinds: ['host'] }, { allows: (permission) => permission !== 'project.any' })).to.equal('invalid_input');
    expect(await ask({ kinds: ['host'] }, { allows: (permission) => permission !== 'host.read' })).to.equal('permission_denied');
    expect(await ask({ kinds: ['host', 'pool'] })).to.equal('done');
    expect(await ask({ kinds: ['user'] })).to.equal('invalid_input');
    expect(await ask({ kinds: ['unknown'] })).to.equal('invalid_input');
    expect(await ask({ secret: 'whsec_short' })).to.equal('invalid_input');
    expect(await ask({}, { allows: (permission) => permission !== 'webhook.read' })).to.equal('permission_denied');
    expect(await ask({}, { limits: () => ({ field: 'name', op: '=', value: 'x' }) })).to.equal('permission_denied');
    for (const url of [
      'http://hooks.example.org/',
      'https://127.0.0.1/',
      'https://10.1.2.3/',
      'https://[::1]/',
      'https://169.254.169.254/',
      'https://localhost/',
    ])
      expect(await ask({ url }), url).to.equal('refused');
    for (const url of [
      'https://2130706433/',
      'https://0x7f.1/',
      'https://[::ffff:127.0.0.1]/',
      'https://[fd00::1]/',
      'http://10.0.0.7/other',
    ])
      expect(await ask({ url }), url).to.equal('refused');
    for (const url of ['ftp://example.org/', 'https://user:word@example.org/']) expect(await ask({ url }), url).to.equal('invalid_input');
    for (const url of ['http://10.0.0.7/hooks/a', 'https://[2606:4700::1111]/']) expect(await ask({ url }), url).to.equal('done');
  });
});
