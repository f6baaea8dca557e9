import { expect } from 'chai';
import { Api, type ApiResponse, jsonBody } from '../../../src/kernel/index.ts';
import { isSigned, opened, SECRET, URL } from './receiver.ts';

const CALLBACK = 'http://10.0.0.7/done/here';
const OTHER = 'http://10.0.0.8/done';
const config = { webhookUrls: ['http://10.0.0.7/done', OTHER] };

describe('callbacks', () => {
  const stage = async (seed: string | number = 'callbacks') => {
    const opening = await opened({ seed, config });
    const { sim } = opening;
    const ask = (method: string, url: string, body?: object, headers: Record<string, string> = {}): Promise<ApiResponse> =>
      sim.environment.complete(
        new Api(sim.kernel).handle({
          ...{ method, url, headers, principal: sim.principal, requestId: 'r', signal: new AbortController().signal, acceptsSocket: false },
          ...(body === undefined ? {} : { body: jsonBody(body) }),
        }),
      );
    const json = (answer: ApiResponse) => JSON.parse(String(answer.body));
    return { ...opening, ask, json };
  };
  const update = '/v1/webhooks/b';

  it('tell how the operation of one request ended, once, signed with the secret of the project', async () => {
    const { sim, receiver, ask, json } = await stage();
    const answer = await ask('PATCH', update, { description: 'one' }, { 'x-callback-url': CALLBACK });
    expect(answer.status).to.equal(202);
    await ask('PATCH', update, { description: 'two' });
    await sim.run(5000);
    const { secret } = json(await ask('GET', '/v1/callbacks/secret'));
    expect(receiver.received.map(({ url, publicOnly, event }) => [url, publicOnly, event.type, event.data.row.state])).to.deep.equal([
      [CALLBACK, false, 'pileus.operation.updated', 'succeeded'],
    ]);
    const [came] = receiver.received;
    expect(came?.event.data.id).to.equal(json(answer).operationId);
    expect(came !== undefined && isSigned(came, secret) && !isSigned(came, SECRET)).to.equal(true);
    for (const table of ['eventQueue', 'callback']) expect(sim.rows(table)).to.deep.equal([]);
  });

  it('come also for what is satisfied at once, and leave a dead letter when nobody takes them', async () => {
    const { sim, receiver, ask, b } = await stage();
    await sim.done('webhook.disable', {}, b);
    receiver.answer = () => 500;
    await ask('POST', `${update}/disable`, {}, { 'x-callback-url': CALLBACK });
    await sim.run(5 * 24 * 3600_000);
    expect(receiver.received).to.have.length(10);
    const [dead] = sim.rows('delivery');
    expect(dead).to.include({ url: CALLBACK, resourceKind: 'operation', state: 'dead' });
    receiver.answer = () => 204;
    await sim.done('delivery.replay', {}, String(dead?.id));
    await sim.run(1000);
    expect(receiver.taken).to.have.length(1);
  });

  it('keep the query of their URL to themselves: a dead letter has it sealed, and a replay sends it', async () => {
    const { sim, receiver, ask, b } = await stage();
    const url = `${CALLBACK}?token=PLANTED`;
    const sealed = sim.rows('sealed').length;
    receiver.answer = () => 410;
    for (const description of ['one', 'two']) await ask('PATCH', update, { description }, { 'x-callback-url': url });
    await sim.run(5000);
    const dead = sim.rows('delivery');
    expect(dead.map((row) => row.url)).to.deep.equal([CALLBACK, CALLBACK]);
    for (const table of ['delivery', 'audit', 'operation', 'journal', 'sealed', 'callback', 'eventQueue', 'idempotency'])
      expect(JSON.stringify(sim.rows(table)), table).not.to.include('PLANTED');
    receiver.answer = () => 204;
    await sim.done('delivery.replay', {}, String(dead[0]?.id));
    await sim.run(1000);
    expect(receiver.taken.map((post) => post.url)).to.deep.equal([url]);
    await sim.done('delivery.delete', {}, String(dead[1]?.id));
    expect(sim.rows('delivery')).to.deep.equal([]);
    expect(sim.rows('sealed')).to.have.length(sealed);
    expect(sim.rows('webhook').map(({ id }) => id)).to.include(b);
  });

  it('keep the query of their URL sealed from the acceptance on, until they are taken', async () => {
    const { sim, receiver, ask } = await stage();
    const url = `${CALLBACK}?token=PLANTED`;
    const sealed = sim.rows('sealed').length;
    const shown = () => {
      for (const table of ['callback', 'eventQueue', 'operation', 'journal', 'audit', 'sealed', 'idempotency', 'outbox'])
        expect(JSON.stringify(sim.rows(table)), table).not.to.include('PLANTED');
    };
    receiver.answer = () => 503;
    await ask('PATCH', update, { description: 'one' }, { 'x-callback-url': url, 'idempotency-key': 'k' });
    const [waiting, ...others] = sim.rows('callback');
    expect(waiting).to.include({ url: CALLBACK });
    expect(String(waiting?.urlQuery)).to.match(/^sealed:/);
    expect([others, sim.rows('sealed').length]).to.deep.equal([[], sealed + 1]);
    shown();
    await sim.run(1000);
    const [queued] = sim.rows('eventQueue').filter(({ url: of }) => of !== undefined);
    expect(queued).to.include({ url: CALLBACK, urlQuery: waiting?.urlQuery, attempts: 1 });
    expect(sim.rows('callback')).to.deep.equal([]);
    shown();
    sim.crash();
    await sim.start();
    receiver.answer = () => 204;
    await sim.run(60_000);
    expect(receiver.received.map((post) => post.url)).to.deep.equal([url, url]);
    expect(sim.rows('eventQueue')).to.deep.equal([]);
    expect(sim.rows('sealed')).to.have.length(sealed);
  });

  it('leave nothing sealed of what is not accepted, or was before', async () => {
    const { sim, receiver, ask } = await stage();
    const kept = () => ['sealed', 'callback', 'operation'].map((table) => sim.rows(table).length);
    const before = kept();
    const headers = { 'x-callback-url': `${CALLBACK}?token=PLANTED` };
    const input = { name: 'b', url: URL, kinds: ['nic'], secret: SECRET };
    for (const [method, url, body, status] of [
      ['POST', '/v1/webhooks', input, 409],
      ['PATCH', '/v1/webhooks/nobody', { description: 'x' }, 404],
      ['PATCH', update, { description: 1 }, 400],
      ['PATCH', `${update}?dryRun=true`, { description: 'x' }, 200],
    ] as const) {
      expect((await ask(method, url, body, headers)).status, url).to.equal(status);
      expect(kept(), url).to.deep.equal(before);
    }
    const twice = { ...headers, 'idempotency-key': 'k' };
    const answers = await Promise.all([1, 2].map(() => ask('PATCH', update, { description: 'one' }, twice)));
    expect(new Set(answers.map(({ body }) => body)).size).to.equal(1);
    expect(sim.rows('operation')).to.have.length(Number(before[2]) + 1);
    await sim.run(5000);
    await ask('PATCH', update, { description: 'one' }, twice);
    expect(receiver.taken).to.have.length(1);
    expect(kept().slice(0, 2)).to.deep.equal(before.slice(0, 2));
  });

  it('go nowhere but where the operator allows it, and nothing is accepted then', async () => {
    const { sim, ask, json } = await stage();
    const operations = sim.rows('operation').length;
    for (const [url, code] of [
      [URL, 'refused'],
      ['http://10.0.0.7/donee', 'refused'],
      ['http://10.0.0.9/done', 'refused'],
      ['http://10.0.0.7:81/done', 'refused'],
      ['http://10.0.0.7/done/../other', 'refused'],
      ['nowhere', 'invalid_input'],
    ] as const)
      expect(json(await ask('PATCH', update, { description: 'x' }, { 'x-callback-url': url })).code, url).to.equal(code);
    expect(sim.rows('operation')).to.have.length(operations);
    expect(sim.rows('callback')).to.deep.equal([]);
  });

  it('wait for nothing that another place does not answer', async () => {
    const { sim, receiver, ask } = await stage();
    receiver.answer = ({ url }) => (url === OTHER ? 204 : undefined);
    const before = sim.rows('operation').length;
    for (let index = 0; index < 20; index += 1) await ask('PATCH', update, { description: `${index}` }, { 'x-callback-url': CALLBACK });
    const told = async (description: string) => {
      await ask('PATCH', update, { description }, { 'x-callback-url': OTHER });
      await sim.run(1000);
      return receiver.taken.length;
    };
    // The second when nothing of the first is left, the third after a start.
    expect([await told('one'), await told('two')]).to.deep.equal([1, 2]);
    expect(receiver.received.map(({ url }) => url).filter((url) => url === CALLBACK)).to.have.length(8);
    sim.crash();
    await sim.start();
    expect(await told('three')).to.equal(3);
    receiver.answer = () => 204;
    await sim.run(3600_000);
    expect(new Set(receiver.taken.map(({ event }) => event.data.id)).size).to.equal(sim.rows('operation').length - before);
    expect(receiver.taken.filter(({ url }) => url === OTHER)).to.have.length(3);
    expect(sim.rows('eventQueue')).to.deep.equal([]);
  });

  it('that an older release has queued, those of all places together, are sent', async () => {
    const { sim, receiver, ask, json } = await stage();
    receiver.answer = () => 503;
    for (const url of [CALLBACK, OTHER]) await ask('PATCH', update, { description: url }, { 'x-callback-url': url });
    await sim.run(1000);
    const { projectId } = sim.principal;
    const moved = sim
      .rows('eventQueue')
      .flatMap((row) => [
        { op: 'remove', table: 'eventQueue', key: `${row.target}/${row.position}` } as const,
        { op: 'insert', table: 'eventQueue', row: { ...row, url: `${row.url}?q`, target: `callback:${projectId}` } as never } as const,
      ]);
    expect(moved).to.have.length(4);
    sim.crash();
    await sim.start();
    receiver.received.length = 0;
    expect((await sim.environment.complete(sim.kernel.observe(moved))).ok).to.equal(true);
    sim.crash();
    await sim.start();
    receiver.answer = () => 204;
    const answer = await ask('PATCH', update, { description: 'new' }, { 'x-callback-url': OTHER });
    await sim.run(60_000);
    expect(receiver.taken.map(({ url }) => url).sort()).to.deep.equal([`${CALLBACK}?q`, OTHER, `${OTHER}?q`]);
    expect(receiver.taken.map(({ event }) => event.data.id)).to.include(json(answer).operationId);
    expect(sim.rows('eventQueue')).to.deep.equal([]);
  });

  it('that an older release has accepted are sent, and keep their query sealed when they are given up', async () => {
    const { sim, receiver, ask } = await stage();
    const sealed = sim.rows('sealed').length;
    for (let index = 0; index < 20; index += 1) await ask('PATCH', update, { description: `${index}` });
    await ask('PATCH', update, { description: 'last' }, { 'x-callback-url': CALLBACK });
    const [row] = sim.rows('callback');
    const whole = `${CALLBACK}?token=PLANTED`;
    await sim.environment.complete(
      sim.kernel.observe([{ op: 'update', table: 'callback', key: String(row?.operationId), set: { url: whole } }]),
    );
    expect(sim.rows('callback')).to.have.length(1);
    sim.crash();
    await sim.start();
    receiver.answer = () => 410;
    await sim.run(5000);
    expect(receiver.received.map(({ url, event }) => [url, event.data.id])).to.deep.equal([[whole, row?.operationId]]);
    expect(sim.rows('delivery').map(({ url }) => url)).to.deep.equal([CALLBACK]);
    for (const table of ['delivery', 'callback', 'eventQueue']) expect(JSON.stringify(sim.rows(table)), table).not.to.include('PLANTED');
    receiver.answer = () => 204;
    await sim.done('delivery.replay', {}, String(sim.rows('delivery')[0]?.id));
    await sim.run(1000);
    expect(receiver.taken.map(({ url }) => url)).to.deep.equal([whole]);
    expect(sim.rows('sealed')).to.have.length(sealed);
  });

  it('of one project wait for nothing that those of another are not taken, nor those of another place', async function () {
    this.timeout(300_000);
    const { sim, receiver, b } = await stage();
    const projectId = (await sim.done('project.create', { name: 'other' })) as never;
    const principal = { ...sim.principal, projectId, allows: () => true };
    const input = { name: 'hook', url: URL, kinds: ['nic'], secret: SECRET };
    const taken = 'http://10.0.0.7/done/taken';
    receiver.answer = ({ url }) => (url === taken || url === OTHER ? 204 : 503);
    // More than are held in memory, all of them to be tried again for hours.
    for (let index = 0; index < 1010; index += 1)
      await sim.environment.complete(
        sim.kernel.submit({
          ...{ action: 'webhook.update', input: { description: String(index) }, resourceId: b },
          ...{ principal: sim.principal, callbackUrl: CALLBACK },
        }),
      );
    await sim.run(60_000);
    expect(receiver.received.length).to.be.greaterThan(1000);
    await sim.environment.complete(sim.kernel.submit({ action: 'webhook.create', input, principal, callbackUrl: taken }));
    const more = { action: 'webhook.update', input: { description: 'more' }, resourceId: b, principal: sim.principal };
    await sim.environment.complete(sim.kernel.submit({ ...more, callbackUrl: OTHER }));
    await sim.run(5000);
    expect(receiver.taken.map(({ url }) => url)).to.have.members([taken, OTHER]);
    sim.crash();
    await sim.start();
    receiver.answer = () => 204;
    await sim.run(24 * 3600_000);
    expect(new Set(receiver.taken.map(({ event }) => event.data.id)).size).to.equal(1012);
  });

  it('are part of what a repeat has to say again', async () => {
    const { receiver, sim, ask } = await stage();
    const headers = { 'idempotency-key': 'k', 'x-callback-url': CALLBACK };
    const first = await ask('PATCH', update, { description: 'one' }, headers);
    expect((await ask('PATCH', update, { description: 'one' }, headers)).body).to.equal(first.body);
    expect((await ask('PATCH', update, { description: 'one' }, { 'idempotency-key': 'k' })).status).to.equal(422);
    await sim.run(5000);
    expect(receiver.received).to.have.length(1);
  });

  it('come wherever the process is killed', async function () {
    this.timeout(300_000);
    for (let steps = 1; steps <= 100; steps += 6) {
      const { sim, receiver, b } = await stage(`crash ${steps}`);
      const sealed = sim.rows('sealed').length;
      const request = {
        action: 'webhook.update',
        input: { description: 'one' },
        resourceId: b,
        principal: sim.principal,
        callbackUrl: `${CALLBACK}?token=PLANTED`,
      };
      void sim.kernel.submit(request);
      for (let step = 0; step < steps; step += 1) await sim.environment.step();
      sim.crash();
      await sim.start();
      await sim.run(60_000);
      const accepted = sim.rows('operation').filter((row) => row.action === 'webhook.update');
      expect(new Set(receiver.taken.map(({ event }) => event.data.id)), `${steps} steps`).to.deep.equal(
        new Set(accepted.map(({ id }) => id)),
      );
      expect(new Set(receiver.taken.map(({ url }) => url)).size).to.equal(accepted.length);
      expect(sim.rows('sealed'), `${steps} steps`).to.have.length(sealed);
      for (const table of ['eventQueue', 'callback']) expect(sim.rows(table), `${steps} steps`).to.deep.equal([]);
    }
  });
});
