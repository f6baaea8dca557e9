import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { Witness } from '../../tools/demo/witness.ts';
import { attempt, type CommandResult } from '../../tools/system/command.ts';
import { ensureSystem } from '../../tools/system/ensure.ts';
import { virsh } from '../lab/guest-domain.ts';
import { type Lab, labUp } from '../lab/lab.ts';

const MAIN = fileURLToPath(new URL('../../tools/demo/main.ts', import.meta.url));
const NEVER_HAD_LIBVIRT = fileURLToPath(new URL('never-had-libvirt.sh', import.meta.url));
const WITHOUT_NAMESPACES = ['setpriv', '--bounding-set=-sys_admin', '--inh-caps=-sys_admin'] as const;
const STAGES = ['system', 'server', 'host', 'image', 'network', 'volume', 'instance', 'console', 'http', 'delete', 'check'];

describe('the demo', function () {
  this.timeout(600_000);
  let stateDir: string;

  before(async () => {
    expect(await ensureSystem({ log: () => {} })).to.deep.equal({ ok: true });
    stateDir = await mkdtemp('/tmp/pileus-demo-');
  });
  after(() => rm(stateDir, { recursive: true, force: true }));

  const serving = [process.execPath, '--disable-warning=ExperimentalWarning', '--conditions=@pileus/source', MAIN] as const;
  const argv = [...serving, '--exit'] as const;
  const options = () => ({ env: { ...process.env, PILEUS_STATE: stateDir }, timeoutMs: 380_000 });

  function expectShown({ stdout, stderr, exitCode }: CommandResult): void {
    expect(exitCode, `${stdout}\n${stderr}`).to.equal(0);
    const report = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Record<string, unknown>;
    expect(report).to.have.all.keys('hypervisor', 'timings', 'guest', 'residue');
    expect(report.hypervisor).to.be.oneOf(['kvm', 'tcg']);
    expect(report.timings).to.have.all.keys(...STAGES);
    expect(report.guest).to.include({ hostname: 'demo', cpus: 1 });
    expect(report.residue).to.equal(0);
    for (const step of ['define', 'ready']) expect(stdout).to.match(new RegExp(`instance\\.create +${step}`));
  }

  it('starts a libvirtd where none runs, shows a guest that answers, and leaves nothing behind', async () => {
    const shown = await attempt(['unshare', '--mount', 'sh', NEVER_HAD_LIBVIRT, stateDir, ...argv], options());
    expectShown(shown);
    expect(shown.stdout).to.include('libvirtd of our own');
  });

  it('says what it takes when it is given something else', async () => {
    for (const wrong of [['--bogus'], ['--network', 'tin'], ['--storage', 'tin'], ['--network', 'ovn', '--storage', 'rbd'], ['now']]) {
      const { exitCode, stderr } = await attempt([...serving, ...wrong], options());
      expect(exitCode, wrong.join(' ')).to.equal(2);
      expect(stderr, wrong.join(' ')).to.match(/^demo: .+\n\nnpm run demo /);
    }
  });

  it('pretends its machines, and says why, where root may not make namespaces', async () => {
    const shown = await attempt([...WITHOUT_NAMESPACES, ...argv], options());
    expect(shown.exitCode, `${shown.stdout}\n${shown.stderr}`).to.equal(0);
    expect(shown.stdout).to.match(/^SIMULATED: .*namespaces.*unshare failed/m);
    const report = JSON.parse(shown.stdout.trim().split('\n').at(-1) ?? '') as Record<string, unknown>;
    expect(report).to.include({ hypervisor: 'simulated', residue: 0 });
    // Nothing boots there that could answer.
    expect(report.timings).to.have.all.keys(...STAGES.filter((stage) => stage !== 'http'));
    expect(shown.stdout).to.include('asked of the pretended world itself');
  });

  it('takes everything down when its terminal is closed', async () => {
    const [file, ...args] = [...WITHOUT_NAMESPACES, ...serving];
    const demo = spawn(file, args, { ...options(), stdio: ['ignore', 'pipe', 'pipe'] });
    const exit = once(demo, 'exit');
    for await (const line of createInterface(demo.stdout)) if (line.startsWith('Ctrl-C removes')) break;
    demo.stdout.destroy();
    demo.stderr.destroy();
    // The kernel tells the demo, and so does the shell.
    for (let count = 0; count < 2; count += 1) {
      demo.kill('SIGHUP');
      await sleep(50);
    }
    expect(await exit).to.deep.equal([0, null]);
    expect(await readdir(stateDir))
      .to.not.include('server')
      .and.not.include('demo.json');
  });

  it('keeps the log of its server when it fails', async () => {
    const [file, ...args] = [...WITHOUT_NAMESPACES, ...argv];
    const demo = spawn(file, args, { ...options(), stdio: ['ignore', 'pipe', 'inherit'] });
    const exit = once(demo, 'exit');
    const said: string[] = [];
    for await (const line of createInterface(demo.stdout)) {
      said.push(line);
      if (!line.startsWith('The guest image')) continue;
      const claim = JSON.parse(await readFile(join(stateDir, 'demo.json'), 'utf8')) as { readonly server: { readonly pid: number } };
      process.kill(claim.server.pid, 'SIGKILL');
    }
    expect(await exit).to.deep.equal([1, null]);
    const log = join(stateDir, 'failed-server.log');
    expect(said).to.include(`The server's log is kept in ${log}`);
    // Nobody has looked, and nothing is not what is said then.
    expect(JSON.parse(said.at(-1) ?? '')).to.include({ residue: 1 });
    expect((await readFile(log, 'utf8')).length).to.be.above(0);
  });

  it('uses the libvirtd that runs, and leaves it running', async () => {
    // A host of the lab is a machine with a libvirtd of its own.
    await using lab = await disposableLab();
    const host = lab.host(0);
    const shown = await host.exec([...argv], options());
    expectShown(shown);
    expect(shown.stdout).to.include('Using the libvirtd that runs on this machine');
    for (const list of ['list', 'net-list', 'pool-list']) expect((await virsh(host, list, '--all', '--name')).trim(), list).to.equal('');
  });

  it('tells of each thing that is left, by its kind and id, and of nothing that was there before or is not ours', async () => {
    await using lab = await disposableLab();
    const host = lab.host(0);
    const folder = join(host.rootDir, 'lib/images/pileus-demo-left');
    const witness = new Witness(host.socketPath, folder);
    await define(lab, 'pileus-before');
    await witness.begin();
    expect(await witness.residue()).to.deep.equal([]);
    await define(lab, 'somebody-else');
    const ours = await define(lab, 'pileus-left');
    await mkdir(folder);
    await writeFile(join(folder, 'volume-left'), '');
    expect(await witness.residue()).to.have.members([...ours.map(({ what, id }) => `${what} ${id}`), 'file volume-left']);
    await rm(join(folder, 'volume-left'));
    for (const { undefine, id } of ours) await virsh(host, undefine, id);
    expect(await witness.residue()).to.deep.equal([]);
    // With the last file the folder has gone, too.
    expect(await readdir(join(folder, '..'))).to.not.include('pileus-demo-left');
  });
});

/** One of each sort that libvirt keeps, of that name. */
async function define(lab: Lab, name: string) {
  const made = [
    { what: 'domain', define: 'define', undefine: 'undefine', xml: domainOf },
    {
      what: 'network',
      define: 'net-define',
      undefine: 'net-undefine',
      xml: (id: string) => `<network><name>${name}</name><uuid>${id}</uuid></network>`,
    },
    {
      what: 'secret',
      define: 'secret-define',
      undefine: 'secret-undefine',
      xml: (id: string) => `<secret><uuid>${id}</uuid><usage type='ceph'><name>${name}</name></usage></secret>`,
    },
    {
      what: 'pool',
      define: 'pool-define',
      undefine: 'pool-undefine',
      xml: (id: string) => `<pool type='dir'><name>${name}</name><uuid>${id}</uuid><target><path>/tmp/${name}</path></target></pool>`,
    },
  ].map((sort) => ({ ...sort, id: randomUUID() }));
  for (const sort of made) {
    const path = join(lab.sharedDir, `${sort.id}.xml`);
    await writeFile(path, sort.xml(sort.id, name));
    await virsh(lab.host(0), sort.define, path);
  }
  return made;
}

const domainOf = (id: string, name: string): string =>
  `<domain type='qemu'><name>${name}</name><uuid>${id}</uuid><memory unit='MiB'>32</memory><os><type arch='x86_64'>hvm</type></os></domain>`;

async function disposableLab() {
  const lab = await labUp({ hosts: 1 });
  return Object.assign(lab, { [Symbol.asyncDispose]: () => lab.down() });
}
