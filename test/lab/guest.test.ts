import { open, readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { buildGuestImage, type GuestImage } from '../../tools/guest/image.ts';
import { CACHE_DIR, ensureSystem } from '../../tools/system/ensure.ts';
import { startGuest, startNetwork, virsh } from './guest-domain.ts';
import type { LabHost } from './host.ts';
import { type Lab, labUp } from './lab.ts';
import { until, untilLogged } from './waiting.ts';

describe('the guest image', function () {
  this.timeout(400_000);
  let lab: Lab;
  let host: LabHost;
  let image: GuestImage;

  before(async () => {
    expect(await ensureSystem({ log: () => {} })).to.deep.equal({ ok: true });
    image = await buildGuestImage({ cacheDir: CACHE_DIR, log: () => {} });
    lab = await labUp({ hosts: 1 });
    host = lab.host(0);
    await startNetwork(host, 'nat', '192.168.70', true);
  });

  after(() => lab?.down());

  const httpGet = (url: string) => until(url, () => host.httpGet(url).catch(() => undefined));

  it('boots to its marker, takes an address by DHCP, answers HTTP and heeds the power button', async () => {
    const { consoleLog } = await startGuest(host, { name: 'plain', image, nic: { network: 'nat', mac: '52:54:00:00:70:01' } });
    await untilLogged(consoleLog, /PILEUS-GUEST-READY pileus-guest/);
    const [, address] = await untilLogged(consoleLog, /PILEUS-GUEST-ADDRESS eth0 (\S+)\/24/);
    const answer: unknown = JSON.parse(await httpGet(`http://${address}/`));
    expect(answer).to.include({ hostname: 'pileus-guest', instanceId: '', cpus: 1 });
    expect(answer)
      .to.have.property('nics')
      .that.deep.equals([{ name: 'eth0', mac: '52:54:00:00:70:01', address: `${address}/24` }]);

    await virsh(host, 'shutdown', 'plain', '--mode', 'acpi');
    await until('the guest off', async () => ((await virsh(host, 'domstate', 'plain')).includes('shut off') ? true : undefined));
  });

  it('does what its seed says, runs a shell on the console and answers through the guest agent', async () => {
    const seed = {
      'meta-data': 'instance-id: i-123\nlocal-hostname: seeded\n',
      'user-data': '#!/bin/sh\necho USER-DATA-RAN on $(hostname)\n',
      'network-config':
        'version: 2\nethernets:\n  e0:\n    match: { macaddress: "52:54:00:00:70:02" }\n    addresses: [192.168.70.200/24]\n    gateway4: 192.168.70.1\n',
    };
    const { consoleLog } = await startGuest(host, { name: 'seeded', image, nic: { network: 'nat', mac: '52:54:00:00:70:02' }, seed });
    await untilLogged(consoleLog, /PILEUS-GUEST-READY seeded/);
    await untilLogged(consoleLog, /USER-DATA-RAN on seeded/);
    expect(JSON.parse(await httpGet('http://192.168.70.200/'))).to.include({ hostname: 'seeded', instanceId: 'i-123' });
    expect(await httpGet('http://192.168.70.200/user-data')).to.equal(seed['user-data']);

    await untilLogged(consoleLog, /\/ # /);
    await using terminal = await open((await virsh(host, 'ttyconsole', 'seeded')).trim(), 'r+');
    await terminal.write('echo answer=$((6 * 7))\n');
    // QEMU only reads while the terminal is open at this end.
    await untilLogged(consoleLog, /answer=42/);

    const ping = () => virsh(host, 'qemu-agent-command', 'seeded', '{"execute":"guest-ping"}').catch(() => undefined);
    expect(JSON.parse(await until('the guest agent', ping))).to.deep.equal({ return: {} });
    await virsh(host, 'shutdown', 'seeded', '--mode', 'agent');
    await until('the guest off', async () => ((await virsh(host, 'domstate', 'seeded')).includes('shut off') ? true : undefined));
    expect(await readFile(consoleLog, 'utf8')).to.include('PILEUS-GUEST-STOPPING');
  });
});
