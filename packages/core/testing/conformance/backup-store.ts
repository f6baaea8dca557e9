import { expect } from 'chai';
import type { BackupStoreDriver, Call } from '../../src/strategy/index.ts';
import { expectTotal } from './classification.ts';
import type { Changes, Complete, PreparedCall } from './frozen.ts';
import { frozenCalls } from './frozen.ts';
import { type Harness, type Setup, Stage, UNANSWERED } from './harness.ts';

export interface BackupStoreHarness extends Harness<BackupStoreDriver> {
  /** The place is not there any more, as when a file server is unmounted or a bucket is gone, and comes back with all that was in it. */
  vanish?(): Promise<void>;
  reappear?(): Promise<void>;
}

/** `freeze`, of harnesses: the backend can be frozen. `vanish`: the place can be taken away. */
export type BackupStoreFeature = 'freeze' | 'vanish';
export type BackupStoreSetup = Setup<BackupStoreFeature, BackupStoreHarness>;

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

class BackupStage extends Stage<BackupStoreDriver, BackupStoreHarness> {
  readonly #made = new Set<string>();

  /** A new key, deleted after the test. */
  key(name = 'object', folder = this.newId()): string {
    const key = `${folder}/${name}`;
    this.#made.add(key);
    return key;
  }
  put(key: string, text: string, call = this.call()): Promise<void> {
    return this.driver.put(key, bytesOf(text), call);
  }
  async text(key: string): Promise<string | undefined> {
    const bytes = await this.driver.get(key, this.call());
    return bytes === undefined ? undefined : new TextDecoder().decode(bytes);
  }
  /** All keys below a folder, page by page. */
  async listed(prefix: string): Promise<string[]> {
    const keys: string[] = [];
    for (let after: string | undefined; ; ) {
      const page = await this.driver.list({ prefix, ...(after === undefined ? {} : { after }) }, this.call());
      keys.push(...page.keys);
      after = page.keys.at(-1);
      if (!page.hasMore || after === undefined) return keys;
    }
  }
  async sweep(): Promise<void> {
    for (const key of this.#made) await this.insist((call) => this.driver.delete(key, call));
    this.#made.clear();
  }
}

/** The contract of `BackupStoreDriver`, sentence by sentence. Mocha's globals must be there. */
export function describeBackupStore(name: string, setup: BackupStoreSetup): void {
  describe(`BackupStoreDriver conformance: ${name}`, function () {
    const stage = new BackupStage(setup);
    this.timeout(stage.timeouts.testMs);
    before(async () => {
      await stage.begin();
      await stage.driver.ensureStore(stage.call());
    });
    afterEach(() => stage.sweep());
    after(() => stage.end());

    describe('objects', () => objectTests(stage));
    describe('lists', () => listTests(stage));
    describe('the place', () => placeTests(stage));
    if (setup.features.includes('vanish')) describe('a place that vanishes', () => vanishTests(stage));
    if (setup.features.includes('freeze')) describe('frozen backend', () => frozenTests(stage));
  });
}

function objectTests(stage: BackupStage): void {
  it('are given back as they were put, however often', async () => {
    const [key, empty] = [stage.key(), stage.key('empty')];
    const bytes = Uint8Array.from({ length: 300_000 }, (_, at) => (at * 31) & 0xff);
    await stage.driver.put(key, bytes, stage.call());
    await stage.driver.put(empty, new Uint8Array(), stage.call());
    for (let round = 0; round < 2; round += 1) {
      expect(Buffer.from((await stage.driver.get(key, stage.call())) ?? []).equals(bytes)).to.equal(true);
      expect(await stage.driver.has(key, stage.call())).to.equal(true);
      expect(await stage.driver.get(empty, stage.call())).to.have.length(0);
      expect(await stage.driver.has(empty, stage.call())).to.equal(true);
    }
  });

  it('of 5 MiB are put and given back whole, several at once', async () => {
    const keys = Array.from({ length: 4 }, (_, at) => stage.key(`large-${at}`));
    const bytes = (at: number) => new Uint8Array(5 * 2 ** 20).fill(at + 1);
    await Promise.all(keys.map((key, at) => stage.driver.put(key, bytes(at), stage.call())));
    for (const [at, key] of keys.entries())
      expect(Buffer.from((await stage.driver.get(key, stage.call())) ?? []).equals(bytes(at))).to.equal(true);
  });

  it('that are put again take the place of what was there', async () => {
    const key = stage.key();
    await stage.put(key, 'a longer text');
    await stage.put(key, 'short');
    expect(await stage.text(key)).to.equal('short');
  });

  it('that are put twice at once are one of the two, whole', async () => {
    const key = stage.key();
    const [a, b] = ['a'.repeat(100_000), 'b'.repeat(90_000)];
    await Promise.all([stage.put(key, a), stage.put(key, b)]);
    expect(await stage.text(key)).to.be.oneOf([a, b]);
  });

  it('that are absent are told to be, and deleting them succeeds', async () => {
    const key = stage.key();
    expect(await stage.driver.get(key, stage.call())).to.equal(undefined);
    expect(await stage.driver.has(key, stage.call())).to.equal(false);
    await stage.driver.delete(key, stage.call());
    await stage.put(key, 'text');
    for (let round = 0; round < 2; round += 1) await stage.driver.delete(key, stage.call());
    expect(await stage.driver.get(key, stage.call())).to.equal(undefined);
    expect(await stage.driver.has(key, stage.call())).to.equal(false);
  });
}

function listTests(stage: BackupStage): void {
  it('are of what is below the prefix alone, in the order of the bytes of whole keys', async () => {
    const folder = stage.newId();
    const names = ['a-b', 'a.b', 'a/x', 'a/y/z', 'a0', 'b/c', 'b1'];
    for (const name of names.toReversed()) await stage.put(stage.key(name, folder), name);
    await stage.put(stage.key('other'), 'other');
    expect(await stage.listed(`${folder}/`)).to.deep.equal(
      names.map((name) => `${folder}/${name}`).sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b))),
    );
    expect(await stage.listed(`${folder}/a/`)).to.deep.equal([`${folder}/a/x`, `${folder}/a/y/z`]);
    expect(await stage.listed(`${folder}/none/`)).to.deep.equal([]);
  });

  it('begin behind a key, whether that is there or not', async () => {
    const folder = stage.newId();
    for (const name of ['a/1', 'a/2', 'b/1', 'c']) await stage.put(stage.key(name, folder), name);
    const behind = async (after: string) =>
      (await stage.driver.list({ prefix: `${folder}/`, after: `${folder}/${after}` }, stage.call())).keys.map((key) =>
        key.slice(folder.length + 1),
      );
    expect(await behind('a/1')).to.deep.equal(['a/2', 'b/1', 'c']);
    expect(await behind('a/2')).to.deep.equal(['b/1', 'c']);
    expect(await behind('a/3')).to.deep.equal(['b/1', 'c']);
    expect(await behind('b')).to.deep.equal(['b/1', 'c']);
    expect(await behind('c')).to.deep.equal([]);
  });

  it('of more than a page go on where the page ends, each key once', async () => {
    const folder = stage.newId();
    const keys = Array.from({ length: 1005 }, (_, at) => stage.key(`${at % 7}/${String(at).padStart(5, '0')}`, folder));
    for (let at = 0; at < keys.length; at += 50) await Promise.all(keys.slice(at, at + 50).map((key) => stage.put(key, 'x')));
    const first = await stage.driver.list({ prefix: `${folder}/` }, stage.call());
    expect(first.hasMore).to.equal(true);
    expect(first.keys.length).to.be.at.most(1000);
    expect(await stage.listed(`${folder}/`)).to.deep.equal(keys.toSorted());
  });
}

function placeTests(stage: BackupStage): void {
  it('made usable again keeps what is in it, and its objects outlive the driver object that put them', async () => {
    const key = stage.key();
    const maker = await stage.open();
    await maker.put(key, bytesOf('text'), stage.call());
    await maker.close();
    await stage.driver.ensureStore(stage.call());
    const other = await stage.open();
    expect(await other.has(key, stage.call())).to.equal(true);
    expect(await stage.text(key)).to.equal('text');
  });

  it('is gone after close, while other driver objects go on', async () => {
    const other = await stage.open();
    await other.close();
    await stage.fault(other.has(stage.key(), stage.call()));
    expect(await stage.driver.has(stage.key(), stage.call())).to.equal(false);
  });

  it('takes nothing for a call that is aborted before it begins', async () => {
    const key = stage.key();
    await stage.fault(stage.put(key, 'text', stage.call(undefined, { signal: AbortSignal.abort() })));
    await stage.harness.settle();
    expect(await stage.driver.has(key, stage.call())).to.equal(false);
  });

  it('refuses what is no key, before anything is asked of it', async () => {
    for (const key of ['', '/a', 'a/', 'a//b', '../a', 'a/../b', '.a', 'a/.b', 'A', 'a b', 'ä', 'a\0b', 'x'.repeat(513)]) {
      expect(await stage.fault(stage.put(key, 'text')), JSON.stringify(key)).to.equal('invalid');
      expect(await stage.fault(stage.driver.get(key, stage.call())), JSON.stringify(key)).to.equal('invalid');
      expect(await stage.fault(stage.driver.delete(key, stage.call())), JSON.stringify(key)).to.equal('invalid');
    }
    expect(await stage.fault(stage.driver.list({ prefix: 'a' }, stage.call()))).to.equal('invalid');
  });

  it('classifies whatever is thrown, and never throws itself', () => {
    expectTotal((error) => stage.driver.classify(error), stage.harness.environment.random);
  });
}

function vanishTests(stage: BackupStage): void {
  it('tells nothing to be absent', async () => {
    const key = stage.key();
    await stage.put(key, 'text');
    await stage.harness.vanish?.();
    try {
      const { driver } = stage;
      const asked: readonly (() => Promise<unknown>)[] = [
        () => driver.get(key, stage.call()),
        () => driver.has(key, stage.call()),
        () => driver.list({ prefix: 'a/' }, stage.call()),
        () => stage.put(key, 'new'),
        () => driver.delete(key, stage.call()),
      ];
      for (const ask of asked) expect(await stage.fault(ask())).to.equal('unavailable');
    } finally {
      await stage.harness.reappear?.();
    }
    expect(await stage.text(key)).to.equal('text');
  });
}

function frozenTests(stage: BackupStage): void {
  const prepared = (key: string, act: (call: Call) => Promise<unknown>, done: () => Promise<unknown>): PreparedCall => ({
    act,
    done,
    undo: (call) => stage.driver.delete(key, call),
    left: () => stage.listed(`${key.split('/')[0]}/`),
  });
  const table: Complete<Changes<BackupStoreDriver, 'get' | 'has' | 'list'>> = {
    ensureStore: async () => {
      const key = stage.key();
      await stage.put(key, 'text');
      return prepared(
        key,
        (call) => stage.driver.ensureStore(call),
        async () => expect(await stage.text(key)).to.equal('text'),
      );
    },
    put: async () => {
      const key = stage.key();
      const whole = async () => expect(await stage.text(key)).to.be.oneOf([undefined, 'text']);
      return {
        ...prepared(
          key,
          (call) => stage.put(key, 'text', call),
          async () => expect(await stage.text(key)).to.equal('text'),
        ),
        lateArrival: whole,
      };
    },
    delete: async () => {
      const key = stage.key();
      await stage.put(key, 'text');
      return prepared(
        key,
        (call) => stage.driver.delete(key, call),
        async () => expect(await stage.text(key)).to.equal(undefined),
      );
    },
  };
  frozenCalls(stage, table);

  it('makes every look fail, never answer "absent"', async () => {
    const key = stage.key();
    await stage.put(key, 'text');
    await stage.whileFrozen(async () => {
      const { driver } = stage;
      expect(await stage.fault(driver.get(key, stage.brief()))).to.be.oneOf(UNANSWERED);
      expect(await stage.fault(driver.has(key, stage.brief()))).to.be.oneOf(UNANSWERED);
      expect(await stage.fault(driver.list({ prefix: 'a/' }, stage.brief()))).to.be.oneOf(UNANSWERED);
    });
  });
}
