import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { attempt } from '../../../tools/system/command.ts';

const MAIN = fileURLToPath(new URL('../../../tools/demo/main.ts', import.meta.url));
const STAGES = [
  ...['system', 'server', 'host', 'image', 'network', 'volume', 'instance', 'console', 'http'],
  ...['clone', 'grow', 'snapshot', 'backup', 'revert', 'restore', 'delete', 'check'],
];

describe('the demo on Ceph', function () {
  this.timeout(600_000);
  let stateDir: string;

  before(async () => {
    stateDir = await mkdtemp('/tmp/pileus-demo-');
  });
  after(() => rm(stateDir, { recursive: true, force: true }));

  it('shows a machine on a clone of its image, and a volume that grows, is reverted and restored, and leaves nothing behind', async () => {
    const flags = ['--disable-warning=ExperimentalWarning', '--conditions=@pileus/source'];
    const options = { env: { ...process.env, PILEUS_STATE: stateDir }, timeoutMs: 380_000 };
    const { stdout, stderr, exitCode } = await attempt([process.execPath, ...flags, MAIN, '--storage', 'rbd', '--exit'], options);
    expect(exitCode, `${stdout}\n${stderr}`).to.equal(0);
    const report = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Record<string, unknown>;
    expect(report).to.have.all.keys('hypervisor', 'timings', 'guest', 'residue');
    expect(report.timings).to.have.all.keys(...STAGES);
    expect(report.guest).to.include({ hostname: 'demo', cpus: 1 });
    expect(report.residue).to.equal(0);
    expect(stdout).to.match(/volume-\S+ +a clone of demo\/image-\S+@base/);
    expect(stdout).to.match(/guest +sees 128 MiB/);
    expect(await readdir(stateDir))
      .to.not.include('ceph')
      .and.not.include('server')
      .and.not.include('demo.json');
  });
});
