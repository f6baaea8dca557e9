import { mkdtemp, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { attempt } from '../../tools/system/command.ts';
import { ensureSystem } from '../../tools/system/ensure.ts';

const MAIN = fileURLToPath(new URL('../../tools/demo/main.ts', import.meta.url));
const STAGES = ['system', 'server', 'host', 'image', 'network', 'volume', 'instance', 'console', 'http', 'delete', 'check'];

describe('the demo', function () {
  this.timeout(400_000);
  let stateDir: string;

  before(async () => {
    expect(await ensureSystem({ log: () => {} })).to.deep.equal({ ok: true });
    stateDir = await mkdtemp('/tmp/pileus-demo-');
  });
  after(() => rm(stateDir, { recursive: true, force: true }));

  it('shows a guest that answers, and leaves nothing behind', async () => {
    const env = { ...process.env, PILEUS_STATE: stateDir };
    const argv = [process.execPath, '--disable-warning=ExperimentalWarning', '--conditions=@pileus/source', MAIN, '--exit'] as const;
    const { stdout, stderr, exitCode } = await attempt([...argv], { env, timeoutMs: 380_000 });
    expect(exitCode, `${stdout}\n${stderr}`).to.equal(0);
    const report = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Record<string, unknown>;
    expect(report).to.have.all.keys('hypervisor', 'timings', 'guest', 'residue');
    expect(report.hypervisor).to.be.oneOf(['kvm', 'tcg']);
    expect(report.timings).to.have.all.keys(...STAGES);
    expect(report.guest).to.include({ hostname: 'demo', cpus: 1 });
    expect(report.residue).to.equal(0);
    for (const step of ['define', 'ready']) expect(stdout).to.match(new RegExp(`instance\\.create +${step}`));
  });
});
