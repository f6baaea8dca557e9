import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { assert } from 'chai';
import { noCloudSeed } from '../../packages/core/src/cloud/compute/seed.ts';

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
