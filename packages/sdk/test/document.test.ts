import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { connect, Endpoints, type Transport, type TransportRequest } from '../src/index.ts';

const DOCUMENT = new URL('../../../docs/reference/openapi.json', import.meta.url);

/** What a client of one kind is made of, for kinds that are known by name only. */
const UNTYPED = ['value', 'change', 'ticket', 'send', 'receive', 'path', 'steer', 'createAny', 'updateAny', 'deleteAny', 'act', 'actOnAll'];
/** Made of other calls. */
const MADE_OF_OTHERS = ['wait', 'watch', 'follow', 'dryRun', 'way', 'submit'];

interface Operation {
  readonly operationId: string;
  readonly method: string;
  readonly path: RegExp;
}

async function documented(): Promise<readonly Operation[]> {
  const { paths } = JSON.parse(await readFile(DOCUMENT, 'utf8')) as { paths: Record<string, Record<string, { operationId: string }>> };
  return Object.entries(paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, { operationId }]) => ({
      operationId,
      method: method.toUpperCase(),
      path: new RegExp(`^${path.replaceAll(/\{[^}]+\}/g, 'x')}$`),
    })),
  );
}

/** Answers everything, and remembers what was asked. */
function recorder() {
  const asked: Pick<TransportRequest, 'method' | 'path'>[] = [];
  const answer = JSON.stringify({ items: [], operationId: 'x', resourceId: 'x', token: 'x', path: '/v1/consoles/x' });
  const transport: Transport = {
    url: 'http://cloud.example',
    async request({ method, path }) {
      asked.push({ method, path: path.replace(/\?.*/, '') });
      return { status: 200, headers: {}, text: async () => answer, async *stream() {} };
    },
  };
  return { asked, transport };
}

async function drain(answer: unknown): Promise<void> {
  if (typeof answer !== 'object' || answer === null) return;
  if ('toArray' in answer) await (answer as { toArray(): Promise<unknown> }).toArray();
  else if (Symbol.asyncIterator in answer) await (answer as AsyncGenerator).next();
  else await answer;
}

/** Calls every typed method of a part of the client. Lists take no name before their options. */
async function callAll(part: object): Promise<void> {
  const names = new Set<string>();
  for (let at = Object.getPrototypeOf(part); at !== Object.prototype; at = Object.getPrototypeOf(at))
    for (const name of Object.getOwnPropertyNames(at)) names.add(name);
  for (const name of names)
    if (![...UNTYPED, ...MADE_OF_OTHERS, 'constructor'].includes(name))
      await drain((part as Record<string, (...given: unknown[]) => unknown>)[name]?.(...(name === 'list' ? [{}] : ['x', {}, {}])));
}

describe('sdk: the whole document', () => {
  it('is in the typed client, operation by operation', async () => {
    const { asked, transport } = recorder();
    const cloud = connect({ transport });
    for (const part of Object.values(cloud)) if (part instanceof Endpoints) await callAll(part);
    await cloud.changes();
    await cloud.document();
    const gone = new AbortController();
    const events = cloud.events({ signal: gone.signal }).next();
    await new Promise((resolve) => setTimeout(resolve, 10));
    gone.abort();
    await events;
    const ticket = await cloud.instances.openConsole('x');
    asked.push({ method: 'GET', path: new URL(ticket.url).pathname });
    const operations = await documented();
    expect(operations.length).to.be.greaterThan(90);
    const missing = operations.filter((each) => !asked.some(({ method, path }) => method === each.method && each.path.test(path)));
    expect(missing.map(({ operationId }) => operationId)).to.deep.equal([]);
  });
});
