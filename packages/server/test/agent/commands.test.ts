import { execFile } from 'node:child_process';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Ids } from '@pileus/core/kernel';
import { fingerprintOf, nodeEnvironment, WrongIdentity } from '@pileus/core/node';
import { expect } from 'chai';
import { selfSigned } from '../../../drivers-kvm/test/self-signed.ts';
import { AgentProcess, type Answer, eventually, Receiver } from './agent-process.ts';

const environment = nodeEnvironment();
const ids = new Ids(environment.clock, environment.random);
const mint = () => `${ids.mint('operation')}.inspect`;

describe('agent: commands', function () {
  this.timeout(600_000);
  let agent: AgentProcess;
  let receiver: Receiver;
  before(async () => {
    agent = await AgentProcess.start();
    receiver = await Receiver.start(agent.controller);
  });
  after(async () => {
    await receiver.close();
    await agent.close();
  });
  beforeEach(async () => {
    await agent.shut();
    receiver.status = 204;
    receiver.told.length = 0;
  });
  const told = (id: string) => receiver.told.filter(({ commandId }) => commandId === id);

  it('are answered at once, run once however often they come, and tell their outcome to the callback', async () => {
    const id = mint();
    const before = (await agent.lines('runs')).length;
    const answers = await Promise.all(Array.from({ length: 10 }, () => agent.command(id, receiver.url)));
    expect(answers.map(({ status }) => status)).to.deep.equal(Array(10).fill(202));
    await eventually(
      async () => (await agent.ask('GET', `/v1/commands/${id}`)).json.state,
      (state) => state === 'running',
    );
    await agent.open();
    const [first] = await eventually(
      () => told(id),
      ({ length }) => length > 0,
    );
    expect(first.outcome).to.deep.include({ ok: true });
    const again = await agent.command(id, receiver.url);
    expect([again.status, again.json.outcome]).to.deep.equal([200, first.outcome]);
    expect((await agent.lines('runs')).length - before).to.equal(1);
  });

  it('tell an outcome that an agent killed between its end and its callback had in its outbox, and answer the same ever after', async () => {
    const id = mint();
    receiver.status = 503;
    await agent.open();
    const before = (await agent.lines('runs')).length;
    await agent.command(id, receiver.url);
    const { outcome } = await eventually<Answer['json']>(() => told(id)[0]);
    await agent.end();
    receiver.status = 204;
    receiver.told.length = 0;
    await agent.begin();
    expect(await eventually(() => told(id)[0]?.outcome, Boolean)).to.deep.equal(outcome);
    await eventually(
      async () => (await agent.ask('GET', '/v1/status')).json.commands.unacknowledged,
      (count) => count === 0,
    );
    await agent.end();
    await agent.begin();
    const again = await agent.command(id, receiver.url);
    expect([again.status, again.json.outcome, again.json.attempts]).to.deep.equal([200, outcome, 1]);
    expect((await agent.lines('runs')).length - before).to.equal(1);
  });

  it('are begun again when the agent was killed over them', async () => {
    const id = mint();
    const before = (await agent.lines('runs')).length;
    await agent.command(id, receiver.url);
    await eventually(
      async () => (await agent.lines('runs')).length - before,
      (runs) => runs === 1,
    );
    await agent.end();
    await agent.open();
    await agent.begin();
    await eventually(() => told(id)[0], Boolean);
    const { json } = await agent.ask('GET', `/v1/commands/${id}`);
    expect([json.state, json.attempts, (await agent.lines('runs')).length - before]).to.deep.equal(['done', 2, 2]);
  });

  it('tell their outcome to a control plane that was away when they ended', async () => {
    const port = Number(new URL(receiver.url).port);
    await receiver.close();
    const id = mint();
    await agent.open();
    await agent.command(id, receiver.url);
    await eventually(
      async () => (await agent.ask('GET', `/v1/commands/${id}`)).json.state,
      (state) => state === 'done',
    );
    receiver = await Receiver.start(agent.controller, port);
    await eventually(() => told(id)[0], Boolean);
  });

  it('are not told to a callback that somebody else answers', async () => {
    const other = await Receiver.start(await selfSigned());
    const id = mint();
    await agent.open();
    await agent.command(id, other.url);
    await eventually(
      async () => (await agent.ask('GET', `/v1/commands/${id}`)).json.state,
      (state) => state === 'done',
    );
    // The right place is told in a repeat, as after a move of the control plane.
    await agent.command(id, receiver.url);
    await eventually(() => told(id)[0], Boolean);
    expect(other.told).to.deep.equal([]);
    await other.close();
  });

  it('are refused by field when an agent does not know what they say', async () => {
    const id = mint();
    await agent.open();
    await agent.command(id, receiver.url);
    const { status, json } = await agent.command(id, receiver.url, { body: { type: 'host.inspect', input: { more: 1 } } });
    expect([status, json.pointer]).to.deep.equal([400, '/input/more']);
    for (const [body, pointer, code] of [
      [{ input: {} }, '/type', 'invalid_input'],
      [{ type: 'host.burn', input: {} }, '/type', 'unsupported'],
      [{ type: 'host.inspect' }, '/input', 'invalid_input'],
    ] as const) {
      const answer = await agent.command(mint(), receiver.url, { body });
      expect([answer.json.pointer, answer.json.code]).to.deep.equal([pointer, code]);
    }
    expect((await agent.command('no-uuid', receiver.url)).status).to.equal(400);
    expect((await agent.command(mint(), 'ftp://x')).status).to.equal(400);
    expect((await agent.command(mint(), receiver.url, { epoch: 'x' })).status).to.equal(400);
  });

  it('are taken of the newest control plane only, also after a restart', async () => {
    await agent.open();
    const statusOf = async (epoch: string) => {
      const { status, json } = await agent.command(mint(), receiver.url, { epoch });
      return status === 409 ? json.params.reason : status;
    };
    expect(await statusOf('store:7')).to.equal(202);
    expect(await statusOf('store:6')).to.equal('stale_epoch');
    await agent.end();
    await agent.begin();
    expect(await statusOf('store:6')).to.equal('stale_epoch');
    expect(await statusOf('store:8')).to.equal(202);
    // After a restore another history goes on, and the one before has ended for good.
    expect(await statusOf('restored:2')).to.equal(202);
    expect(await statusOf('store:9')).to.equal('stale_epoch');
    expect(await statusOf('restored:1')).to.equal('stale_epoch');
    await agent.end();
    await agent.begin();
    expect(await statusOf('store:9')).to.equal('stale_epoch');
    await writeEpochFree(agent);
  });

  /** The next test may begin from the first epoch again. */
  async function writeEpochFree(of: AgentProcess): Promise<void> {
    await of.close();
    agent = await AgentProcess.start();
    await receiver.close();
    receiver = await Receiver.start(agent.controller);
  }

  it('can be read, one by one, as a list with pages, and in the status', async () => {
    await agent.open();
    const all = [mint(), mint(), mint()];
    for (const id of all) await agent.command(id, receiver.url);
    await eventually(() => all.every((id) => told(id).length > 0));
    const first = (await agent.ask('GET', '/v1/commands?limit=2')).json;
    expect(first.items.map(({ commandId }: { commandId: string }) => commandId)).to.deep.equal(all.slice(0, 2));
    const rest = (await agent.ask('GET', `/v1/commands?limit=2&after=${first.next}&state=done`)).json;
    expect([rest.items.map(({ commandId }: { commandId: string }) => commandId), rest.next]).to.deep.equal([all.slice(2), undefined]);
    expect((await agent.ask('GET', '/v1/commands?limit=0')).json.pointer).to.equal('/limit');
    expect((await agent.ask('GET', '/v1/commands?state=lost')).json.pointer).to.equal('/state');
    expect((await agent.ask('GET', `/v1/commands/${mint()}`)).status).to.equal(404);
    const { json } = await agent.ask('GET', '/v1/status');
    expect(json.commands).to.deep.include({ queued: 0, running: 0 });
    expect((await agent.ask('GET', '/v9/status')).json.params.versions).to.deep.equal([1]);
  });

  it('are taken of known identities only, and only a known agent is asked', async () => {
    const stranger = await selfSigned();
    const id = mint();
    const options = { body: { type: 'host.inspect', input: {} }, headers: { 'x-callback-url': receiver.url, 'x-pileus-epoch': 'store:1' } };
    const refused = await agent.ask('PUT', `/v1/commands/${id}`, { ...options, identity: stranger }).catch((error: Error) => error);
    expect(refused).to.be.instanceOf(Error);
    const anonymous = await agent.ask('GET', '/', { identity: {} as never }).catch((error: Error) => error);
    expect(anonymous).to.be.instanceOf(Error);
    const pins = [fingerprintOf(stranger.cert)];
    expect(await agent.ask('PUT', `/v1/commands/${id}`, { ...options, pins }).catch((error: Error) => error)).to.be.instanceOf(
      WrongIdentity,
    );
    expect((await agent.ask('GET', `/v1/commands/${id}`)).status).to.equal(404);
  });

  it('are taken by one agent of a directory', async () => {
    const file = JSON.parse(await readFile(join(agent.directory, 'agent.json'), 'utf8'));
    await writeFile(join(agent.directory, 'second.json'), JSON.stringify({ ...file, listen: { port: 0 } }));
    const program = new URL('watched-agent.ts', import.meta.url).pathname;
    const said = await new Promise<string>((resolve) => {
      execFile(process.execPath, [...process.execArgv, program, '--config', join(agent.directory, 'second.json')], (_error, _out, err) =>
        resolve(err),
      );
    });
    expect(said).to.include('is used by another agent');
  });

  it('are not answered, and end the agent, when the disk is full; with room it goes on', async () => {
    const small = await AgentProcess.start();
    await small.end();
    const data = join(small.directory, 'data');
    const run = promisify(execFile);
    await run('mount', ['-t', 'tmpfs', '-o', 'size=256k', 'tmpfs', data]);
    try {
      await small.begin();
      await small.open();
      await writeFile(join(data, 'filler'), Buffer.alloc(1024 * 1024)).catch(() => undefined);
      // The last page of the journal has room for a few more.
      const known: string[] = [];
      for (let isRefused = false; !isRefused; ) {
        const id = mint();
        const answer = await small.command(id, receiver.url).catch(() => ({ status: 0 }));
        isRefused = answer.status !== 202;
        if (!isRefused) known.push(id);
      }
      expect(await small.ended()).to.equal(1);
      await rm(join(data, 'filler'));
      await small.begin();
      for (const id of known) expect((await small.ask('GET', `/v1/commands/${id}`)).status).to.equal(200);
      expect((await small.command(mint(), receiver.url)).status).to.equal(202);
    } finally {
      await small.end();
      await run('umount', [data]);
      await small.close();
    }
  });
});
