import { randomBytes, randomUUID } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Id } from '@pileus/sdk';
import { expect } from 'chai';
import { LabCloud } from './lab-cloud.ts';

describe('secrets', function () {
  this.timeout(120_000);
  const marker = `planted-${randomBytes(12).toString('hex')}`;
  let lab: LabCloud;

  before(async () => {
    lab = await LabCloud.up({ config: { log: { level: 'debug' } } });
    const { id } = await lab.cloud.instances.create(lab.instanceRequest('secretive', { userData: `#!/bin/sh\n# ${marker}\n` })).wait();
    // A refused request and a repeated one go through other code.
    await lab.cloud.instances.create(lab.instanceRequest('refused', { userData: marker, imageId: randomUUID() as Id<'image'> })).safe();
    await lab.cloud.instances.stop(id, { force: true }).wait();
    await lab.cloud.instances.start(id).wait();
    await lab.post('/v1/backups', { name: 'copy' });
  });

  after(() => lab?.down());

  /** The forms in which a text may be written down. */
  const forms = (text: string): readonly string[] => [text, Buffer.from(text).toString('base64').slice(0, -4), encodeURIComponent(text)];

  async function filesWith(text: string): Promise<readonly string[]> {
    const dir = join(lab.serverDir, 'data');
    const files = (await readdir(dir, { recursive: true, withFileTypes: true })).filter((entry) => entry.isFile());
    const paths = [...files.map((entry) => join(entry.parentPath, entry.name)), join(lab.serverDir, 'server.log')];
    const contents = await Promise.all(paths.map(async (path) => ({ path, content: await readFile(path) })));
    return contents.filter(({ content }) => forms(text).some((form) => content.includes(form))).map(({ path }) => path);
  }

  it('reach the guest', async () => {
    const seeds = (await lab.poolFiles()).filter((name) => name.startsWith('seed-'));
    expect(seeds).to.have.length(1);
    expect((await readFile(join(lab.host.rootDir, 'lib/images/pool', seeds[0] ?? ''))).includes(marker)).to.equal(true);
  });

  it('are in no database, write-ahead log, backup or log', async () => {
    const names = await readdir(join(lab.serverDir, 'data'));
    expect(names).to.include.members(['pileus.db', 'pileus.db-wal', 'backups', 'seal.key']);
    expect(await filesWith(marker), 'user data').to.deep.equal([]);
    expect(await filesWith(lab.server.apiKey), 'the root key').to.deep.equal([]);
    // The search itself works: the name of the instance is everywhere.
    expect((await filesWith('secretive')).map((path) => path.replace(`${lab.serverDir}/`, ''))).to.include('data/backups/copy.db');
  });

  it('are in no row, operation or event that the API shows', async () => {
    const get = async (path: string) => {
      const response = await fetch(new URL(path, lab.server.url), { headers: { authorization: `Bearer ${lab.server.apiKey}` } });
      return response.text();
    };
    const shown = await Promise.all(['/v1/instances', '/v1/operations', '/v1/changes?after=0.0&limit=1000', '/metrics'].map(get));
    expect(shown[2]).to.include('"kind":"instance"');
    for (const text of shown) for (const secret of [marker, lab.server.apiKey]) expect(text.includes(secret)).to.equal(false);
  });
});
