import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { run } from '../../tools/system/command.ts';
import { initPid, killEnclosure } from '../../tools/system/enclosure.ts';
import { ensureSystem } from '../../tools/system/ensure.ts';
import { readFirewall } from '../../tools/system/firewall.ts';
import { startPrivateLibvirtd } from '../../tools/system/private-libvirtd.ts';

describe('a libvirtd of our own on this machine', function () {
  this.timeout(200_000);
  const bridge = 'pileustest0';
  let rootDir: string;

  before(async () => {
    expect(await ensureSystem({ log: () => {} })).to.deep.equal({ ok: true });
    rootDir = await mkdtemp('/tmp/pileus-libvirtd-');
  });

  after(() => rm(rootDir, { recursive: true, force: true }));

  it('starts once, is taken over after a kill, and leaves no bridge, rule or process', async () => {
    const firewallBefore = await readFirewall();
    const libvirtd = await startPrivateLibvirtd({ rootDir, log: () => {} });
    const virsh = (...args: string[]) => run(['virsh', '--quiet', '--connect', `qemu:///system?socket=${libvirtd.socketPath}`, ...args]);
    const pid = await initPid(rootDir);
    const again = await startPrivateLibvirtd({ rootDir, log: () => {} });
    expect({ again: again.socketPath, pid: await initPid(rootDir) }).to.deep.equal({ again: libvirtd.socketPath, pid });

    const definition = join(rootDir, 'net.xml');
    await writeFile(
      definition,
      `<network><name>t</name><forward mode='nat'/><bridge name='${bridge}'/><ip address='192.168.231.1' netmask='255.255.255.0'/></network>`,
    );
    await virsh('net-create', definition);
    expect(await run(['ip', '-brief', 'link'])).to.include(bridge);

    if (libvirtd.ours) {
      await killEnclosure(rootDir);
      const successor = await startPrivateLibvirtd({ rootDir, log: () => {} });
      expect((await virsh('net-list', '--name')).trim(), 'the network that the killed one left').to.equal('t');
      await successor.stop();
    } else {
      await virsh('net-destroy', 't');
    }
    expect(await run(['ip', '-brief', 'link'])).to.not.include(bridge);
    expect(await readFirewall()).to.deep.equal(firewallBefore);
    expect(await initPid(rootDir)).to.equal(undefined);
  });
});
