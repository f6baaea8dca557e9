import { mkdtemp, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { attempt } from '../../tools/system/command.ts';
import { killEnclosure } from '../../tools/system/enclosure.ts';
import { ensureSystem } from '../../tools/system/ensure.ts';

const LIFE = fileURLToPath(new URL('private-libvirtd-life.ts', import.meta.url));
const OWN_NETWORK = 'mount -t sysfs sysfs /sys && ip link set lo up && exec "$@"';

describe('a libvirtd of our own on this machine', function () {
  this.timeout(400_000);
  let rootDir: string;

  before(async () => {
    expect(await ensureSystem({ log: () => {} })).to.deep.equal({ ok: true });
    rootDir = await mkdtemp('/tmp/pileus-libvirtd-');
  });

  after(async () => {
    await killEnclosure(rootDir);
    await rm(rootDir, { recursive: true, force: true });
  });

  it('starts once, is taken over after a kill, and leaves no bridge, rule or process', async () => {
    // In a network of its own: what others do to the machine's packet filter meanwhile is not its own.
    const argv = [
      'unshare',
      '--mount',
      '--net',
      'sh',
      '-c',
      OWN_NETWORK,
      'sh',
      process.execPath,
      ...process.execArgv,
      LIFE,
      rootDir,
    ] as const;
    const { exitCode, stderr } = await attempt([...argv], { timeoutMs: 380_000 });
    expect(exitCode, stderr).to.equal(0);
  });
});
