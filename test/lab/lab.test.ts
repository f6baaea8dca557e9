import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { createConnection } from 'node:net';
import { join } from 'node:path';
import { connect, type TLSSocket } from 'node:tls';
import { expect } from 'chai';
import { type GuestImage, haltImage } from '../../tools/guest/image.ts';
import { attempt } from '../../tools/system/command.ts';
import { CACHE_DIR, ensureSystem } from '../../tools/system/ensure.ts';
import { createAuthority, installHostCertificate } from './certificates.ts';
import { fabricNetns } from './fabric.ts';
import { startGuest, startNetwork, virsh } from './guest-domain.ts';
import { type Lab, labUp, unownedLabs } from './lab.ts';
import { residue } from './residue.ts';
import { claimSlot, keptStates, LABS_DIR, lives, type Owner, releaseSlot, thisProcess } from './slots.ts';
import { until, untilLogged } from './waiting.ts';

const NODE = join(import.meta.dirname, '../../tools/node.sh');

describe('the lab', function () {
  this.timeout(300_000);
  let lab: Lab;
  let halt: GuestImage;

  before(async () => {
    expect(await ensureSystem({ log: () => {} })).to.deep.equal({ ok: true });
    halt = await haltImage({ cacheDir: CACHE_DIR });
    lab = await labUp({ hosts: 3, tls: true });
  });

  after(() => lab?.down());

  it('has three hosts with names, processes and networks of their own', async () => {
    const names = await Promise.all(lab.hosts.map((host) => virsh(host, 'hostname')));
    expect(names.map((name) => name.trim())).to.deep.equal(['hv1', 'hv2', 'hv3']);
    const links = await lab.exec(0, ['ip', '-brief', 'link']);
    expect(links.stdout)
      .to.match(/br0/)
      .and.not.match(/pileuslab/);
  });

  it('comes up and goes down by one command each, and leaves nothing behind', async () => {
    const command = async (file: string, ...args: readonly string[]) => {
      const { stdout, stderr, exitCode } = await attempt(['sh', NODE, join(import.meta.dirname, file), ...args]);
      expect(exitCode, stderr).to.equal(0);
      return stdout;
    };
    const [made = '', ...shown] = (await command('up.ts', '--hosts', '3')).trimEnd().split('\n');
    const [name = ''] = made.split(' ');
    const kept = (await unownedLabs()).find((each) => each.kept && each.lab.name === name)?.lab;
    if (kept === undefined) throw new Error(`no lab ${name} is there`);
    try {
      expect(shown).to.deep.equal(kept.hosts.map(({ name: host, socketPath }) => `${host}  virsh -c qemu:///system?socket=${socketPath}`));
      const host = kept.host(0);
      await startNetwork(host, 'nat', '192.168.50', true);
      await startGuest(host, { name: 'left', image: halt, nic: { network: 'nat', mac: '52:54:00:00:00:01' } });
      expect(await residue(name)).to.not.have.length(0);
    } finally {
      expect(await command('down.ts', name)).to.equal(`${name}: down\nNothing is left.\n`);
    }
    expect(await residue(name)).to.deep.equal([]);
  });

  it('leaves nothing behind when one of its hosts cannot be made', async () => {
    const owner = await thisProcess();
    // In a slot that nobody else takes meanwhile, something stands in the way of the second host.
    const { slot } = await claimSlot((free) => ({ hosts: 1, slot: free, owner }));
    expect((await attempt(['ip', 'netns', 'add', `${fabricNetns(slot)}-h2`])).exitCode).to.equal(0);
    await releaseSlot(slot);
    const failure = await labUp({ hosts: 3, slot }).catch((error: unknown) => error);
    expect(String(failure)).to.include(`${fabricNetns(slot)}-h2`);
    expect(await residue(fabricNetns(slot))).to.deep.equal([]);
  });

  it('has certificates for hosts that are made side by side', async () => {
    const dir = await mkdtemp('/tmp/pileus-pki-');
    try {
      await createAuthority(dir);
      const hosts = Array.from({ length: 8 }, (_, index) => ({
        name: `hv${index}`,
        address: `10.0.0.${index}`,
        rootDir: join(dir, `h${index}`),
      }));
      await Promise.all(hosts.map((host) => installHostCertificate(dir, host)));
      const serials = await Promise.all(
        hosts.map(async ({ rootDir }) => new X509Certificate(await readFile(join(rootDir, 'etc/pki/servercert.pem'))).serialNumber),
      );
      expect(new Set(serials).size).to.equal(hosts.length);
    } finally {
      await rm(dir, { recursive: true });
    }
  });

  it('loses everything that runs on a host without power, and keeps what is on its disk', async () => {
    const host = lab.host(0);
    const { consoleLog } = await startGuest(host, { name: 'crashed', image: halt });
    await untilLogged(consoleLog, /PILEUS-GUEST-HALTED/);
    const pid = await host.pid();
    await lab.crash(0);
    expect(await host.pid()).to.equal(undefined);
    await lab.boot(0);
    expect(await host.pid())
      .to.be.a('number')
      .and.not.equal(pid);
    expect((await virsh(host, 'domstate', 'crashed')).trim()).to.equal('shut off');
  });

  it('has the same network cards after a loss of power, so that it is reachable as soon as it is up', async () => {
    const { client } = lab;
    const { tls } = lab.host(0);
    if (client === undefined || tls === undefined) throw new Error('the lab has no TLS');
    const greets = () => firstByte(connect({ host: tls.address, port: tls.port, ...client }));
    const cards = async () => (await lab.exec(0, ['cat', '/sys/class/net/eth0/address', '/sys/class/net/eth1/address'])).stdout;
    const before = await cards();
    expect(await greets()).to.equal(1);
    await lab.crash(0);
    await lab.boot(0);
    expect(await cards()).to.equal(before);
    expect(await greets()).to.equal(1);
  });

  it('is swept with its slot when its process is killed, at whatever instant', async () => {
    const slots = new URL('slots.ts', import.meta.url).href;
    const dying = (work: string) => `
      const { claimSlot, labDir, releaseSlot, thisProcess } = await import(${JSON.stringify(slots)});
      const owner = await thisProcess();
      const { slot } = await claimSlot((slot) => ({ hosts: 1, tls: false, cgroups: false, keep: false, slot, owner }));
      console.log(slot);
      ${work}
      process.kill(process.pid, 'SIGKILL');`;
    const moments = [
      '',
      // As removal leaves it when it is cut short.
      `await (await import('node:fs/promises')).rename(labDir(slot), '${LABS_DIR}/draft-' + owner.pid + '-' + owner.startTime + '-9');`,
    ];
    /** Answers what is left; undefined where labs of other tests have swept it first, or have the slot by now. */
    const leftAfter = async (moment: string): Promise<readonly string[] | undefined> => {
      const { stdout } = await attempt([process.execPath, '--input-type=module', '--eval', dying(moment)]);
      const slot = Number(stdout.trim());
      expect(Number.isInteger(slot), stdout).to.equal(true);
      if (!(await readdir(LABS_DIR)).some((name) => name === String(slot) || name.endsWith('-9'))) return undefined;
      for (const { lab: found, kept } of await unownedLabs()) if (!kept) await found.down();
      const left = await residue(fabricNetns(slot));
      const states = (await keptStates()).map((text) => JSON.parse(text) as { readonly slot: number; readonly owner: Owner });
      const taken = states.find((state) => state.slot === slot);
      return taken !== undefined && (await lives(taken.owner)) ? undefined : left;
    };
    for (const moment of moments) {
      expect(await until('a slot that this test alone sweeps', () => leftAfter(moment))).to.deep.equal([]);
      expect((await readdir(LABS_DIR)).filter((name) => name.endsWith('-9'))).to.deep.equal([]);
    }
  });

  it('keeps guests running while libvirtd is dead', async () => {
    const host = lab.host(1);
    await startGuest(host, { name: 'orphan', image: halt });
    await lab.killDaemon(1);
    await lab.startDaemon(1);
    expect((await virsh(host, 'domstate', 'orphan')).trim()).to.equal('running');
  });

  it('starts NAT and isolated networks', async () => {
    const host = lab.host(1);
    await startNetwork(host, 'nat1', '192.168.60', true);
    await startNetwork(host, 'isolated1', '192.168.61', false);
    expect((await virsh(host, 'net-list', '--name')).trim().split(/\s+/)).to.have.members(['nat1', 'isolated1']);
    expect((await attempt(['ip', 'link', 'show', 'nat1'])).exitCode, 'the bridge is on the host alone').to.not.equal(0);
  });

  it('lets CPU shares be set on hosts with control groups', async () => {
    const other = await labUp({ hosts: 1, cgroups: true });
    try {
      await startGuest(other.host(0), { name: 'shares', image: halt });
      await virsh(other.host(0), 'schedinfo', 'shares', '--live', '--set', 'cpu_shares=512');
      expect(await virsh(other.host(0), 'schedinfo', 'shares', '--live')).to.match(/cpu_shares\s*:\s*512/);
    } finally {
      await other.down();
    }
    expect(await residue(other.name)).to.deep.equal([]);
  });

  it('freezes and thaws a libvirtd', async () => {
    const socket = `qemu:///system?socket=${lab.host(2).socketPath}`;
    await lab.freeze(2);
    const silent = await attempt(['virsh', '-c', socket, 'uri'], { timeoutMs: 500 }).catch((error: Error) => error.message);
    await lab.thaw(2);
    expect(silent).to.match(/no end after 500 ms/);
    expect((await virsh(lab.host(2), 'hostname')).trim()).to.equal('hv3');
  });

  it('lets in a client with a certificate, and nobody else', async () => {
    const { client, hosts } = lab;
    const tls = hosts[0]?.tls;
    if (client === undefined || tls === undefined) throw new Error('the lab has no TLS');
    const open = (credentials: { ca: string; cert?: string; key?: string }) =>
      firstByte(connect({ host: tls.address, port: tls.port, ...credentials }));
    // libvirtd accepts a client by sending one byte 1.
    expect(await open({ ...client })).to.equal(1);
    expect(await open({ ca: client.ca })).to.equal(undefined);
  });

  it('cuts a host off from the management network and joins it again', async () => {
    const host = lab.host(2);
    const reaches = () => canConnect(host.address, 16509);
    await until('the host on the network', async () => ((await reaches()) ? true : undefined));
    await lab.partition(2);
    expect(await reaches()).to.equal(false);
    await lab.heal(2);
    await until('the host on the network again', async () => ((await reaches()) ? true : undefined));
  });
});

function canConnect(host: string, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ host, port, timeout: 1000 });
    const answer = (reached: boolean) => () => {
      socket.destroy();
      resolve(reached);
    };
    socket.on('connect', answer(true)).on('error', answer(false)).on('timeout', answer(false));
  });
}

async function firstByte(socket: TLSSocket): Promise<number | undefined> {
  const closed = new Promise<undefined>((resolve) => socket.on('error', () => resolve(undefined)).on('close', () => resolve(undefined)));
  const byte = once(socket, 'data').then(
    ([data]: Buffer[]) => data?.[0],
    () => undefined,
  );
  const first = await Promise.race([byte, closed]);
  socket.destroy();
  return first;
}
