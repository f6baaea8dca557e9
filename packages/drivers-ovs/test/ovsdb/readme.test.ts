import { readFile, rm, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { run } from '../../../../tools/system/command.ts';
import { PrivateServer } from './private-server.ts';

describe('the README of drivers-ovs', function () {
  this.timeout(300_000);

  it('has an example that does what it says', async () => {
    await using server = await PrivateServer.start();
    const text = await readFile(new URL('../../README.md', import.meta.url), 'utf8');
    const [, code = ''] = /```ts\n([\s\S]*?)```/.exec(text) ?? [];
    const file = fileURLToPath(new URL(`.readme-${process.pid}.ts`, import.meta.url));
    const example = code
      .replace('/run/ovn/ovnnb_db.sock', server.socketPath)
      .replace('@pileus/drivers-ovs/ovsdb', '../../src/ovsdb/index.ts');
    await writeFile(file, example);
    try {
      const printed = await run([process.execPath, ...process.execArgv, file]);
      expect(printed.split('\n')).to.deep.equal(['insert Logical_Switch web', '1 1', '']);
    } finally {
      await rm(file);
    }
  });
});
