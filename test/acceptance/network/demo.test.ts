import { createHash } from 'node:crypto';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'chai';
import { attempt, run } from '../../../tools/system/command.ts';

const MAIN = fileURLToPath(new URL('../../../tools/demo/main.ts', import.meta.url));
const STAGES = ['system', 'server', 'host', 'image', 'network', 'instance', 'elasticIp', 'console', 'http', 'refused', 'delete', 'check'];

describe('the demo on OVN', function () {
  this.timeout(600_000);
  let stateDir: string;

  before(async () => {
    stateDir = await mkdtemp('/tmp/pileus-demo-');
  });
  after(() => rm(stateDir, { recursive: true, force: true }));

  it('shows an elastic IP that answers, two VPCs with the same addresses and a refusal with its reason, and leaves nothing behind', async () => {
    const flags = ['--disable-warning=ExperimentalWarning', '--conditions=@pileus/source'];
    const options = { env: { ...process.env, PILEUS_STATE: stateDir }, timeoutMs: 380_000 };
    const { stdout, stderr, exitCode } = await attempt([process.execPath, ...flags, MAIN, '--network', 'ovn', '--exit'], options);
    expect(exitCode, `${stdout}\n${stderr}`).to.equal(0);
    const report = JSON.parse(stdout.trim().split('\n').at(-1) ?? '') as Record<string, unknown>;
    expect(report).to.have.all.keys('hypervisor', 'timings', 'guest', 'residue');
    expect(report.timings).to.have.all.keys(...STAGES);
    expect(report.guest).to.include({ hostname: 'red-web' });
    expect(report.residue).to.equal(0);
    for (const name of ['red-web', 'red-db', 'blue-web']) expect(stdout).to.include(`PILEUS-GUEST-READY ${name}`);
    expect(stdout).to.match(/red-web -> red-db +blocked: no_rule: /);
    expect(await readdir(stateDir)).to.deep.equal([]);
    // By its own tag: demos of other folders may run beside it.
    const tag = createHash('sha256').update(stateDir).digest('hex').slice(0, 8);
    const seen = `${await run(['ip', 'netns', 'list'])}${await run(['ip', '-brief', 'link'])}`;
    const left = seen.split('\n').filter((line) => line.includes(tag));
    expect(left, `${stdout}\n${stderr}`).to.deep.equal([]);
  });
});
