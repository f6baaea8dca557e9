import { execFile } from 'node:child_process';
import { type FSWatcher, watch } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { promisify } from 'node:util';
import { assert } from 'chai';
import { noCloudSeed } from '../../packages/core/src/cloud/compute/seed.ts';
import { entriesOf, type JournalRow } from '../../packages/core/src/kernel/operation.ts';
import { LabCloud } from './lab-cloud.ts';

const run = promisify(execFile);
const USER_DATA = '#!/bin/sh\necho "hello\tworld" > /dev/console\n';

describe('the seed of a machine', () => {
  it('is a CD-ROM labelled cidata, as isoinfo and blkid read it', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'pileus-seed-'));
    try {
      const path = join(directory, 'seed.iso');
      await writeFile(path, noCloudSeed({ instanceId: 'i', hostname: 'web', sshKeys: ['ssh-ed25519 A'], nics: [], userData: USER_DATA }));
      const isoinfo = async (...args: string[]) => (await run('isoinfo', ['-i', path, ...args])).stdout;
      const description = await isoinfo('-d');
      assert.include(description, 'Volume id: CIDATA');
      assert.include(description, 'Joliet with UCS level 3 found');
      assert.sameMembers((await isoinfo('-J', '-f')).trim().split('\n'), ['/meta-data', '/user-data', '/network-config']);
      assert.equal(await isoinfo('-J', '-x', '/user-data'), USER_DATA);
      assert.equal(await isoinfo('-J', '-x', '/meta-data'), 'instance-id: "i"\nlocal-hostname: "web"\npublic-keys:\n  - "ssh-ed25519 A"\n');
      // What cloud-init looks for by libblkid.
      const known = (await run('blkid', ['-p', '-o', 'export', path])).stdout.split('\n');
      assert.includeMembers(known, ['LABEL=cidata', 'TYPE=iso9660']);
    } finally {
      await rm(directory, { recursive: true });
    }
  });
});

/** Nothing is journaled between the seed's file and the end of the step that writes it: only that step's undo knows of the file. */
describe('the seed of a machine, when the server is killed as it is written', function () {
  this.timeout(600_000);
  let lab: LabCloud;
  let poolDir: string;

  before(async () => {
    lab = await LabCloud.up();
    poolDir = join(lab.host.rootDir, 'lib/images/pool');
  });
  after(() => lab?.down());

  const seeds = async () => (await lab.poolFiles()).filter((name) => name.startsWith('seed-'));
  const files = async (kind: string) => (await lab.poolFiles()).filter((name) => name.startsWith(`${kind}-`));

  /** Resolves when the server is dead: killed in the same turn in which a file of that name came or went. */
  function killedAt(dir: string, pattern: RegExp): Promise<void> {
    return new Promise((resolve, reject) => {
      const watcher: FSWatcher = watch(dir, { persistent: false }, (_, name) => {
        if (name === null || !pattern.test(name)) return;
        process.kill(lab.server.pid, 'SIGKILL');
        watcher.close();
        lab.server.ended.then(resolve, reject);
      });
    });
  }

  /** Steps of the operation that were journaled as done. */
  function doneSteps(operationId: string): readonly string[] {
    const db = new DatabaseSync(join(lab.serverDir, 'data/pileus.db'), { readOnly: true });
    try {
      const rows = db.prepare('SELECT _row FROM journal WHERE operationId = ?').all(operationId);
      const entries = entriesOf(rows.map((row) => JSON.parse(String(row._row)) as JournalRow));
      return entries.map((entry) => ('path' in entry ? entry.path : ''));
    } finally {
      db.close();
    }
  }

  /** On a busy machine the server may have gone on before the kill reaches it: then once more with another machine. */
  async function createUntilSeed(name: string, tries = 25): Promise<{ operationId: string; id: string }> {
    const dead = killedAt(poolDir, /^seed-/);
    const { operationId, id } = await lab.cloud.instances.create(lab.instanceRequest(`${name}-${tries}`));
    await dead;
    const done = doneSteps(operationId);
    if (done.includes('define') && tries > 1) {
      await lab.start();
      await lab.cloud.operations.wait(operationId);
      await lab.cloud.instances.delete(id).wait();
      return createUntilSeed(name, tries - 1);
    }
    assert.deepEqual(await seeds(), [`seed-${id}.iso`]);
    assert.lengthOf(await files('volume'), 1);
    assert.notInclude(done, 'define');
    return { operationId, id };
  }

  it('belongs to the machine that is made in the end, and goes with it', async () => {
    const { operationId, id } = await createUntilSeed('goes-on');
    await lab.start();
    await lab.cloud.operations.wait(operationId);
    assert.deepEqual(await seeds(), [`seed-${id}.iso`]);
    const dead = killedAt(join(lab.host.rootDir, 'etc/qemu'), /\.xml$/);
    const deletion = await lab.cloud.instances.delete(id);
    await dead;
    await lab.start();
    await lab.cloud.operations.wait(deletion.operationId);
    assert.deepEqual(await seeds(), []);
  });

  it('goes with a creation that fails in the end', async () => {
    const { operationId } = await createUntilSeed('fails');
    // Neither a disk of the size that was asked for nor one that a machine starts with, whichever step the next life begins at.
    for (const name of await files('volume')) await writeFile(join(poolDir, name), 'no disk');
    await lab.start();
    const ended = await lab.cloud.operations.wait(operationId).safe();
    assert.equal(ended.ok, false);
    assert.deepEqual(await seeds(), []);
    assert.deepEqual(await files('volume'), []);
  });
});
