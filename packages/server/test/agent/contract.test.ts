import { readFile } from 'node:fs/promises';
import { commonVersion } from '@pileus/core/agent';
import { type CloudError, isCloudError, type KernelServices, parseTraceparent } from '@pileus/core/kernel';
import { nodeEnvironment } from '@pileus/core/node';
import { expect } from 'chai';
import { Agents, commandIdOf } from '../../../core/src/cloud/agents/agents.ts';
import { AgentProcess, eventually, Receiver } from './agent-process.ts';

/** What a control plane of version 1 sends and expects, as it was when that version was the newest. Never changed: versions come beside it. */
const V1_CLIENT = new URL('contract/v1-client.json', import.meta.url);

/** What an agent of version 1 is asked and answers. */
const V1_AGENT = new URL('contract/v1-agent.json', import.meta.url);

const RECORD = {
  commandId: '01890a5d-ac96-774b-bcce-b302099a8057.inspect',
  type: 'host.inspect',
  state: 'queued',
  acceptedAt: '2026-11-21T15:00:00.000Z',
  attempts: 0,
};

interface Step {
  readonly request?: {
    readonly method: string;
    readonly path: string;
    readonly headers?: Readonly<Record<string, string>>;
    readonly body?: unknown;
  };
  readonly answer?: unknown;
  readonly callback?: unknown;
}

/** All that was recorded is there; more may be. `~string` is any text. */
function fits(recorded: unknown, seen: unknown, at = ''): void {
  if (typeof recorded === 'string' && recorded.startsWith('~')) expect(typeof seen, at).to.equal(recorded.slice(1));
  else if (Array.isArray(recorded)) {
    expect(seen, at).to.be.an('array');
    for (const [index, item] of recorded.entries()) fits(item, (seen as unknown[])[index], `${at}/${index}`);
  } else if (typeof recorded === 'object' && recorded !== null) {
    expect(seen, at).to.be.an('object');
    for (const [key, item] of Object.entries(recorded)) fits(item, (seen as Record<string, unknown>)[key], `${at}/${key}`);
  } else expect(seen, at).to.equal(recorded);
}

describe('agent: contract', function () {
  this.timeout(600_000);

  it('speaks the newest version that both sides know', () => {
    expect(commonVersion([1])).to.equal(1);
    // An agent of the next release, and a control plane of the next release.
    expect(commonVersion([2, 1], [1])).to.equal(1);
    expect(commonVersion([1], [2, 1])).to.equal(1);
    expect(commonVersion([1, 2, 3], [3, 2])).to.equal(3);
    expect(commonVersion([3, 4], [1, 2])).to.equal(undefined);
  });

  it('is kept towards an agent of version 1', async () => {
    const steps = JSON.parse(await readFile(V1_AGENT, 'utf8')) as readonly Required<Step>[];
    let at = 0;
    const services = {
      environment: nodeEnvironment(),
      store: { incarnation: '0b7f9a52-1e0c-4c5e-9d4e-6f1f0a3b2c1d', epoch: 41 },
      secrets: { digest: () => 'proof' },
    } as unknown as KernelServices;
    const agents = new Agents(services, {
      callbackUrl: 'https://cloud.example.org',
      ask: async (_agent, { signal: _, ...request }) => {
        const step = steps[at];
        fits(step?.request, request, `/${at}`);
        at += 1;
        return step?.answer as { status: number; json: unknown };
      },
    });
    const agent = { url: 'https://192.0.2.7:7430', fingerprint: 'a'.repeat(64) };
    const call = { requestId: 'r', signal: new AbortController().signal, timeoutMs: 60_000 };
    const id = (last: string) => commandIdOf(`01890a5d-ac96-774b-bcce-b302099a80${last}`, 'inspect');
    expect(await agents.hello(agent, call)).to.deep.include({ agentId: '01890a5d-ac96-774b-bcce-b302099a8000', version: 1 });
    // It is not told, so that it is asked for.
    const inspected = await agents.run(agent, id('57'), { type: 'host.inspect', input: {} }, call);
    expect(inspected).to.deep.equal({ hostname: 'hv1', kernel: '6.1.0', programs: { ip: true } });
    expect((await agents.status(agent, call)).commands.unacknowledged).to.equal(1);
    const refused = await agents.run(agent, id('58'), { type: 'host.inspect', input: {} }, call).catch((error: CloudError) => error);
    expect(isCloudError(refused) && refused.code).to.equal('conflict');
    expect(at).to.equal(steps.length);
  });

  it('takes a record of a command that is malformed for no answer, and one with more than it knows for what it is', async () => {
    const services = {
      environment: nodeEnvironment(),
      store: { incarnation: 'store', epoch: 1 },
      secrets: { digest: () => 'proof' },
    } as unknown as KernelServices;
    const done = { ...RECORD, state: 'done', newerThanWeAre: 1 };
    for (const [json, expected] of [
      [undefined, 'unavailable'],
      ['', 'unavailable'],
      [{}, 'unavailable'],
      [{ ...done, outcome: null }, 'unavailable'],
      [{ ...done, outcome: { ok: false } }, 'unavailable'],
      [{ ...done, outcome: { ok: false, error: { code: 'conflict', message: 'm', newerThanWeAre: 1 } } }, 'conflict'],
      [{ ...done, outcome: { ok: true, result: 7 } }, 7],
    ] as const)
      for (const malformed of ['PUT', 'GET']) {
        const agents = new Agents(services, {
          callbackUrl: 'https://cloud.example.org',
          ask: async (_agent, { method }) => ({ status: 200, json: method === malformed ? json : RECORD }),
        });
        const agent = { url: 'https://192.0.2.7:7430', fingerprint: 'a'.repeat(64) };
        const call = { requestId: 'r', signal: new AbortController().signal, timeoutMs: 60_000 };
        const answered = agents.run(agent, RECORD.commandId, { type: 'host.inspect', input: {} }, call);
        const seen = await answered.catch((error: unknown) => (isCloudError(error) ? error.code : error));
        expect(seen, `${malformed} ${JSON.stringify(json)}`).to.equal(expected);
      }
  });

  it('says of which trace it is, without an SDK too, where there is one', async () => {
    const said: unknown[] = [];
    const services = {
      environment: nodeEnvironment(),
      store: { incarnation: 'store', epoch: 1 },
      secrets: { digest: () => 'proof' },
    } as unknown as KernelServices;
    const hello = { product: 'pileus-agent', release: '1.0.0', agentId: 'a', versions: [1] };
    const commands = { queued: 0, running: 0, unacknowledged: 0 };
    const told = { ...hello, startedAt: '2030-01-01T00:00:00.000Z', commands, commandTypes: [], children: [] };
    const agents = new Agents(services, {
      callbackUrl: 'https://cloud.example.org',
      ask: async (_agent, { method, headers }) => {
        said.push(headers?.traceparent);
        return { status: 200, json: method === 'PUT' ? { ...RECORD, state: 'done', outcome: { ok: true, result: {} } } : told };
      },
    });
    const agent = { url: 'https://192.0.2.7:7430', fingerprint: 'a'.repeat(64) };
    const operationId = '01890a5d-ac96-774b-bcce-b302099a8057';
    for (const requestId of [operationId, 'heartbeat-1']) {
      const call = { requestId, signal: new AbortController().signal, timeoutMs: 60_000 };
      await agents.hello(agent, call);
      await agents.status(agent, call);
      await agents.run(agent, commandIdOf(operationId, 'inspect'), { type: 'host.inspect', input: {} }, call);
    }
    const traceparent = '00-01890a5dac96774bbcceb302099a8057-bcceb302099a8057-01';
    expect(said).to.deep.equal([...Array(3).fill(traceparent), ...Array(3).fill(undefined)]);
  });

  it('overlooks what is no place in a trace, and not what later versions of that say', () => {
    const [traceId, spanId] = ['01890a5dac96774bbcceb302099a8057', 'bcceb302099a8057'];
    expect(parseTraceparent(`00-${traceId}-${spanId}-01`)).to.deep.equal({ traceId, spanId, traceFlags: 1, isRemote: true });
    expect(parseTraceparent(`00-${traceId}-${spanId}-00`)).to.deep.include({ spanId, traceFlags: 0 });
    expect(parseTraceparent(`cc-${traceId}-${spanId}-03-more`)).to.deep.include({ spanId, traceFlags: 1 });
    for (const none of [
      undefined,
      '',
      `00-${traceId}-${spanId}`,
      `00-${traceId}-${spanId}-01-more`,
      `ff-${traceId}-${spanId}-01`,
      `00-${'0'.repeat(32)}-${spanId}-01`,
      `00-${traceId}-${'0'.repeat(16)}-01`,
      `00-${traceId.toUpperCase()}-${spanId}-01`,
    ])
      expect(parseTraceparent(none), String(none)).to.equal(undefined);
  });

  it('is kept towards a control plane of version 1', async () => {
    const agent = await AgentProcess.start();
    const receiver = await Receiver.start(agent.controller);
    await agent.open();
    const steps = JSON.parse((await readFile(V1_CLIENT, 'utf8')).replaceAll('CALLBACK', receiver.url)) as readonly Step[];
    for (const [index, { request, answer, callback }] of steps.entries()) {
      if (request !== undefined) fits(answer, await agent.ask(request.method, request.path, request), `/${index}`);
      else fits(callback, await eventually(() => receiver.told[0], Boolean), `/${index}`);
    }
    await receiver.close();
    await agent.close();
  });
});
