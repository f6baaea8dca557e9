import { mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'chai';
import { cloudIdOf, loadSealKey, nodeEnvironment, replaceSealKey } from '../../src/node/index.ts';

const { random } = nodeEnvironment();

describe('node: what the machine gives', () => {
  let directory: string;
  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'pileus-node-'));
  });
  afterEach(() => rm(directory, { recursive: true }));

  it('hands out random bytes once each, whatever is done to them', () => {
    const seen = new Set<string>();
    for (let index = 0; index < 2000; index += 1) {
      const bytes = random.bytes(16);
      seen.add(Buffer.from(bytes).toString('hex'));
      bytes.fill(0);
    }
    expect(seen.size).to.equal(2000);
  });

  it('makes the sealing key once, for its owner alone, also when two start at once', async () => {
    const path = join(directory, 'below', 'seal.key');
    const [one, other] = await Promise.all([loadSealKey(path, random), loadSealKey(path, random)]);
    expect(one).to.deep.equal(other);
    expect(await loadSealKey(path, random)).to.deep.equal(one);
    expect((await stat(path)).mode & 0o777).to.equal(0o600);
    expect(await readdir(join(directory, 'below'))).to.deep.equal(['seal.key']);
  });

  it('puts another sealing key behind those before, which name the cloud as they did', async () => {
    const path = join(directory, 'seal.key');
    const first = await loadSealKey(path, random);
    const [second, third] = [await replaceSealKey(path, random), await replaceSealKey(path, random)];
    expect([second.length, third.length]).to.deep.equal([64, 96]);
    expect([second.subarray(0, 32), third.subarray(0, 64)]).to.deep.equal([first, second]);
    expect(await loadSealKey(path, random)).to.deep.equal(third);
    expect(await cloudIdOf(third)).to.equal(await cloudIdOf(first));
    expect([(await stat(path)).mode & 0o777, await readdir(directory)]).to.deep.equal([0o600, ['seal.key']]);
  });

  it('refuses a file that is no key', async () => {
    await writeFile(join(directory, 'seal.key'), 'short');
    expect(await loadSealKey(join(directory, 'seal.key'), random).catch(String)).to.include('5 bytes');
  });

  it('names a cloud after its key, and after no other', async () => {
    const name = await cloudIdOf(new Uint8Array(32));
    expect(name).to.match(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    expect(await cloudIdOf(new Uint8Array(32))).to.equal(name);
    expect(await cloudIdOf(new Uint8Array(32).fill(1))).not.to.equal(name);
  });
});
