import { appendFile, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ids } from '@pileus/core/kernel';
import { nodeEnvironment } from '@pileus/core/node';
import { expect } from 'chai';
import { Journal } from '../../src/agent/journal.ts';
import { DamagedLog, LogFile } from '../../src/agent/log-file.ts';
import { eventually } from './agent-process.ts';

const DAY_MS = 86_400_000;

describe('agent: journal', function () {
  this.timeout(600_000);
  let directory: string;
  let nowMs = Date.now();
  const node = nodeEnvironment();
  const environment = {
    ...node,
    clock: { nowMs: () => nowMs, monotonicMs: () => performance.now() },
    // Nobody waits here for what has time.
    timers: { after: (delayMs: number, run: () => void) => node.timers.after(delayMs / 100, run) },
  };
  const ids = new Ids(environment.clock, environment.random);
  const open = (keepMax = 100) =>
    Journal.open({ directory, environment, keepMs: DAY_MS, keepMax, failed: (error) => expect.fail(String(error)) });
  const path = () => join(directory, 'journal.log');
  const held = async () => (await Promise.all(['journal.log', 'inputs.log'].map((name) => readFile(join(directory, name), 'utf8')))).join();
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'pileus-journal-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  const accept = async (journal: Journal, input: object = {}) => {
    const id = ids.mint('operation');
    await journal.accept({ id, type: 'host.inspect', digest: 'd', callbackUrl: 'https://x/', input: input as never });
    return id;
  };
  const done = async (journal: Journal, id: string) => {
    await journal.begin(id);
    await journal.end(id, { ok: true, result: { said: id } });
    await journal.acknowledge(id);
  };

  it('knows in the next life what was answered in this one, and who it is', async () => {
    const first = await open();
    const [a, b] = [await accept(first), await accept(first, { secret: 'hunter2' })];
    await first.begin(a);
    await done(first, b);
    await first.close();
    const second = await open();
    expect(second.open).to.equal(1);
    expect(second.agentId).to.equal(first.agentId);
    expect([...second.all()].map(({ id, state, attempts, outcome, input }) => ({ id, state, attempts, outcome, input }))).to.deep.equal([
      { id: a, state: 'running', attempts: 1, outcome: undefined, input: {} },
      { id: b, state: 'done', attempts: 1, outcome: { ok: true, result: { said: b } }, input: null },
    ]);
    await second.close();
  });

  it('has nothing on disk of what ended commands were to do, and all of what others are', async () => {
    const first = await open();
    const ended = await accept(first, { userData: 'hunter2' });
    const unfinished = await accept(first, { userData: 'hunter3' });
    await done(first, ended);
    await eventually(held, (text) => !text.includes('hunter2'));
    expect(await held()).to.include('hunter3');
    // Also when the agent is ended before.
    const late = await accept(first, { userData: 'hunter4' });
    await done(first, late);
    await first.close();
    expect(await held()).not.to.include('hunter4');
    const second = await open();
    expect(second.find(unfinished)?.input).to.deep.equal({ userData: 'hunter3' });
    await second.close();
  });

  it('has nothing on disk of it either when it was written by a release that kept it with the command', async () => {
    const [ended, unfinished] = [ids.mint('operation'), ids.mint('operation')];
    const log = await LogFile.open(
      path(),
      () => undefined,
      (error) => expect.fail(String(error)),
    );
    const about = { type: 'host.inspect', digest: 'd', callbackUrl: 'https://x/', acceptedAt: 'now', attempts: 0, state: 'queued' };
    for (const [id, userData] of [[ended, 'hunter2'] as const, [unfinished, 'hunter3'] as const])
      await log.append({ t: 'command', command: { ...about, id, input: { userData } } });
    await log.append({ t: 'end', id: ended, at: 'now', outcome: { ok: true, result: {} } });
    await log.close();
    for (let life = 0; life < 2; life += 1) {
      const journal = await open();
      await eventually(held, (text) => !text.includes('hunter2'));
      expect([journal.find(ended)?.state, journal.find(unfinished)?.input]).to.deep.equal(['done', { userData: 'hunter3' }]);
      await journal.close();
    }
    expect(await readFile(path(), 'utf8')).not.to.include('hunter');
  });

  it('does not know a command of which it has no more than the name: it was not answered', async () => {
    const first = await open();
    const id = await accept(first);
    await first.close();
    await rm(join(directory, 'inputs.log'));
    const second = await open();
    expect([second.find(id), second.open]).to.deep.equal([undefined, 0]);
    await second.close();
  });

  it('drops a last line that is not whole, and nothing before it', async () => {
    const first = await open();
    const id = await accept(first);
    await first.close();
    const whole = (await stat(path())).size;
    for (const torn of ['12345678 [{"t":"beg', `00000000 [{"t":"begin","id":"${id}"}]\n`, '\0\0\0\0\n']) {
      await appendFile(path(), torn);
      const journal = await open();
      expect([journal.find(id)?.state, (await stat(path())).size]).to.deep.equal(['queued', whole]);
      await journal.close();
    }
  });

  it('is not believed when what is damaged is followed by more', async () => {
    const first = await open();
    await accept(first);
    await accept(first);
    await first.close();
    const text = await readFile(path(), 'utf8');
    await writeFile(path(), text.replace('host.inspect', 'host.inspecs'));
    const error: unknown = await open().catch((cause) => cause);
    expect(error).to.be.instanceOf(DamagedLog);
    expect((error as Error).message).to.include('in line 2');
  });

  it('is made anew when most of it is history', async () => {
    const first = await open();
    const open1 = await accept(first);
    const filler = 'x'.repeat(300_000);
    const sizes: number[] = [];
    for (let count = 0; count < 60; count += 1) {
      await first.callBackTo(open1, `https://x/${filler}${count}`);
      sizes.push((await stat(path())).size);
    }
    expect(Math.max(...sizes)).to.be.lessThan(6_000_000);
    for (let count = 0; count < 30; count += 1) await done(first, await accept(first));
    const last = await accept(first);
    await first.close();
    const second = await open();
    expect([second.agentId, second.find(open1)?.state, second.find(last)?.state]).to.deep.equal([first.agentId, 'queued', 'queued']);
    expect([...second.all()]).to.have.length(32);
    await second.close();
  });

  it('forgets what was acknowledged long ago, and knows that it did', async () => {
    const journal = await open();
    const [old, unfinished] = [await accept(journal), await accept(journal)];
    await done(journal, old);
    nowMs += 2 * DAY_MS;
    const young = await accept(journal);
    await done(journal, young);
    await journal.forget();
    await journal.close();
    const next = await open();
    expect([old, unfinished, young].map((id) => next.find(id) !== undefined)).to.deep.equal([false, true, true]);
    expect([old, young, ids.mint('operation')].map((id) => next.mayBeForgotten(id))).to.deep.equal([true, false, false]);
    await next.close();
    const small = await open(1);
    nowMs += 1;
    const newest = await accept(small);
    await done(small, newest);
    await small.forget();
    expect([young, newest].map((id) => small.find(id) !== undefined)).to.deep.equal([false, true]);
    await small.close();
  });

  it('lets the later epoch command, also of two that come at once, and no incarnation that was followed', async () => {
    const journal = await open();
    const of = (incarnation: string, epoch: number) => journal.admits({ incarnation, epoch });
    expect(await of('a', 4)).to.equal(true);
    expect(await Promise.all([of('a', 6), of('a', 5)])).to.deep.equal([true, false]);
    expect([await of('a', 5), await of('a', 6), await of('b', 1), await of('a', 7)]).to.deep.equal([false, true, true, false]);
    await journal.close();
    const next = await open();
    const again = [
      { incarnation: 'b', epoch: 0 },
      { incarnation: 'a', epoch: 9 },
      { incarnation: 'b', epoch: 1 },
    ];
    expect(await Promise.all(again.map((fence) => next.admits(fence)))).to.deep.equal([false, false, true]);
    await next.close();
  });
});
