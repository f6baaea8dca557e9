// The life of a libvirtd of our own in the folder that it is given, from its start to the last of its traces. Ends with a failure where something is not as it should be.
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { expect } from 'chai';
import { run } from '../../tools/system/command.ts';
import { initPid, killEnclosure } from '../../tools/system/enclosure.ts';
import { readFirewall } from '../../tools/system/firewall.ts';
import { startPrivateLibvirtd } from '../../tools/system/private-libvirtd.ts';

const BRIDGE = 'pileustest0';
const rootDir = process.argv[2] ?? '';

const firewallBefore = await readFirewall();
const libvirtd = await startPrivateLibvirtd({ rootDir, log: () => {} });
const virsh = (...args: string[]) => run(['virsh', '--quiet', '--connect', `qemu:///system?socket=${libvirtd.socketPath}`, ...args]);
const pid = await initPid(rootDir);
const again = await startPrivateLibvirtd({ rootDir, log: () => {} });
expect({ again: again.socketPath, pid: await initPid(rootDir) }).to.deep.equal({ again: libvirtd.socketPath, pid });

const definition = join(rootDir, 'net.xml');
await writeFile(
  definition,
  `<network><name>t</name><forward mode='nat'/><bridge name='${BRIDGE}'/><ip address='192.168.231.1' netmask='255.255.255.0'/></network>`,
);
await virsh('net-create', definition);
expect(await run(['ip', '-brief', 'link'])).to.include(BRIDGE);

if (libvirtd.ours) {
  await killEnclosure(rootDir);
  const successor = await startPrivateLibvirtd({ rootDir, log: () => {} });
  expect((await virsh('net-list', '--name')).trim(), 'the network that the killed one left').to.equal('t');
  await successor.stop();
} else {
  await virsh('net-destroy', 't');
}
expect(await run(['ip', '-brief', 'link'])).to.not.include(BRIDGE);
expect(await readFirewall()).to.deep.equal(firewallBefore);
expect(await initPid(rootDir)).to.equal(undefined);
