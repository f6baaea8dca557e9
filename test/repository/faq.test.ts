import { expect } from 'chai';
import { type SimulatedServer, startSimulatedServer } from '../../packages/sdk/test/fixture/simulated-server.ts';
import { read } from './documents.ts';

/** A request with its headers and its body, an empty line, and what is answered. */
const BLOCK = /```http\n(?<method>\S+) (?<path>\S+)\n(?<headers>(?:[\w-]+: .*\n)*)(?<body>\{.*\}\n)?\n(?<answer>.+)\n```/g;

type Values = Readonly<Record<string, string>>;
interface Problem {
  readonly code?: string;
  readonly detail?: string;
}

const filled = (text: string, values: Values): string => text.replaceAll(/\$([A-Z]+)/g, (_, name: string) => values[name] ?? '');

/** What the page asks for, and what is answered in its words: `404 not_found: No instance web-7.` or `202`. */
async function play({ url, apiKey }: SimulatedServer, block: Values, values: Values): Promise<string> {
  const headers = new Headers({ authorization: `Bearer ${apiKey}` });
  for (const [, name = '', value = ''] of filled(block.headers ?? '', values).matchAll(/^([\w-]+): (.*)$/gm)) headers.set(name, value);
  if (block.body !== undefined) headers.set('content-type', 'application/json');
  const response = await fetch(`${url}${block.path}`, {
    method: block.method ?? '',
    headers,
    ...(block.body === undefined ? {} : { body: filled(block.body, values) }),
  });
  const { code, detail } = (await response.json()) as Problem;
  return code === undefined ? String(response.status) : `${response.status} ${code}: ${detail}`;
}

describe('the answers of faq.md', function () {
  this.timeout(300_000);
  let server: SimulatedServer;
  let values: Values;
  before(async () => {
    server = await startSimulatedServer();
    const { cloud } = server;
    const [image] = await cloud.images.list().toArray();
    const [network] = await cloud.networks.list().toArray();
    if (image === undefined || network === undefined) throw new Error('the cloud is empty');
    await cloud.instanceTypes.create({ name: 'huge', vcpus: 512, memoryBytes: 2 ** 40 }).wait();
    await cloud.instances
      .create({ name: 'web-1', instanceType: 'small', imageId: image.id, nics: [{ networkId: network.id }], start: false })
      .wait();
    const [nic] = await cloud.nics.list().toArray();
    await cloud.projects.setQuota('default', { limits: { volumes: 1 } }).wait();
    const empty = await cloud.images.create({ name: 'empty', guestOs: 'linux' }).wait();
    const { id: serviceAccountId } = await cloud.serviceAccounts.create({ name: 'reader' }).wait();
    await cloud.roleBindings.create({ role: 'viewer', level: 'account', serviceAccountId }).wait();
    const { key } = await cloud.apiKeys.create({ name: 'reader', serviceAccountId });
    values = { DEBIAN: image.id, EMPTY: empty.id, READER: key, NIC: nic?.name ?? '' };
  });
  after(() => server.close());

  it('are those of the cloud', async () => {
    const blocks = [...(await read('docs/guides/faq.md')).matchAll(BLOCK)].map(({ groups = {} }) => groups);
    expect(blocks).to.have.length.above(10);
    for (const block of blocks)
      expect(await play(server, block, values), `${block.method} ${block.path}`).to.equal(filled(block.answer ?? '', values));
  });
});
