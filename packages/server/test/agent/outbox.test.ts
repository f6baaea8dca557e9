import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Ids } from '@pileus/core/kernel';
import { SimEnvironment } from '@pileus/core/testing';
import { expect } from 'chai';
import { Journal } from '../../src/agent/journal.ts';
import { Outbox } from '../../src/agent/outbox.ts';

const MINUTE_MS = 60_000;

describe('agent: outbox', () => {
  let directory: string;
  let world: SimEnvironment;
  let journal: Journal;
  let ids: Ids;
  /** What is answered, by URL; and what was told, when. */
  let answers: Record<string, number>;
  let told: { readonly url: string; readonly atMs: number }[];
  let outbox: Outbox;

  /** What is real is the file: virtual time stands still for it. */
  const open = async () => {
    journal = await Journal.open({
      directory,
      environment: world,
      keepMs: MINUTE_MS,
      keepMax: 100,
      failed: (error) => expect.fail(String(error)),
    });
    const post = async (url: string) => {
      told.push({ url, atMs: world.clock.monotonicMs() });
      return answers[url] ?? 204;
    };
    outbox = new Outbox({ journal: durable(), environment: world, post });
  };
  const durable = (): Journal =>
    new Proxy(journal, {
      get: (of, name) => {
        const value = Reflect.get(of, name, of) as unknown;
        return typeof value !== 'function'
          ? value
          : (...words: unknown[]) => {
              const answer = value.apply(of, words) as unknown;
              return answer instanceof Promise ? world.outside(answer) : answer;
            };
      },
    });
  const ended = async (callbackUrl: string) => {
    const id = ids.mint('operation');
    await journal.accept({ id, type: 'host.inspect', digest: 'd', callbackUrl, input: {} });
    await journal.begin(id);
    await journal.end(id, { ok: true, result: {} });
    const command = journal.find(id);
    if (command === undefined) throw new Error('it is not kept');
    return command;
  };
  const run = (forMs: number) => world.run(world.clock.monotonicMs() + forMs);

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'pileus-outbox-'));
    world = new SimEnvironment('outbox');
    ids = new Ids(world.clock, world.random);
    answers = {};
    told = [];
    await open();
  });
  afterEach(async () => {
    await outbox.stop();
    await journal.close();
    await rm(directory, { recursive: true });
  });

  it('tells no more what was refused for a minute, in later lives too, and forgets it in time', async () => {
    answers['https://gone/'] = 404;
    const command = await ended('https://gone/');
    outbox.add(command);
    await run(2 * MINUTE_MS);
    expect([command.refusedAt !== undefined, command.acknowledgedAt, journal.open]).to.deep.equal([true, undefined, 0]);
    const count = told.length;
    expect(told.at(-1)?.atMs).to.be.within(MINUTE_MS, 2 * MINUTE_MS);
    await outbox.stop();
    await journal.close();
    await open();
    outbox.resume();
    await run(10 * MINUTE_MS);
    expect(told.length).to.equal(count);
    expect(journal.find(command.id)?.outcome).to.deep.equal({ ok: true, result: {} });
    await journal.forget();
    expect(journal.find(command.id)).to.equal(undefined);
  });

  it('goes on telling what was refused for a moment, or refused with nothing said about the next time', async () => {
    answers['https://proxy/'] = 404;
    for (const passing of [503, 429, 408, 302]) answers[`https://${passing}/`] = passing;
    const proxied = await ended('https://proxy/');
    const others = await Promise.all([503, 429, 408, 302].map((status) => ended(`https://${status}/`)));
    for (const command of [proxied, ...others]) outbox.add(command);
    await run(0.9 * MINUTE_MS);
    answers['https://proxy/'] = 503;
    await run(MINUTE_MS);
    answers['https://proxy/'] = 404;
    await run(0.5 * MINUTE_MS);
    answers = {};
    await run(MINUTE_MS);
    for (const command of [proxied, ...others])
      expect([command.acknowledgedAt !== undefined, command.refusedAt], command.callbackUrl).to.deep.equal([true, undefined]);
  });

  it('tells elsewhere what was refused in one place', async () => {
    answers['https://gone/'] = 404;
    const command = await ended('https://gone/');
    outbox.add(command);
    await run(2 * MINUTE_MS);
    await journal.callBackTo(command.id, 'https://here/');
    expect([command.refusedAt, journal.open]).to.deep.equal([undefined, 1]);
    // The refusal of the one place says nothing of the other, even if it comes late.
    await journal.refuse(command.id, 'https://gone/');
    expect(command.refusedAt).to.equal(undefined);
    outbox.add(command);
    await run(MINUTE_MS);
    expect([command.acknowledgedAt !== undefined, journal.open]).to.deep.equal([true, 0]);
    expect(told.at(-1)?.url).to.equal('https://here/');
  });
});
