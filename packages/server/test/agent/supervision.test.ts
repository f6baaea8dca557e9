import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { AgentProcess, eventually, isAlive } from './agent-process.ts';

describe('agent: children', function () {
  this.timeout(600_000);
  let agent: AgentProcess;
  before(async () => {
    agent = await AgentProcess.start({ args: ['--child'] });
  });
  after(() => agent.close());
  /** The process id of the child that came last, when more have come than before. */
  const newest = async (before: number) =>
    Number(
      (
        await eventually(
          () => agent.lines('child'),
          ({ length }) => length > before,
        )
      ).at(-1),
    );
  const health = async () => (await agent.ask('GET', '/v1/status')).json.children[0];

  it('are started again when they end, with their health shown', async () => {
    const first = await newest(0);
    expect(await health()).to.deep.include({ name: 'watched', state: 'running', pid: first, restarts: 0 });
    process.kill(first, 'SIGKILL');
    const second = await newest(1);
    expect(await eventually(health, ({ pid }) => pid === second)).to.deep.include({ state: 'running', restarts: 1, lastExit: 'SIGKILL' });
    // The second time in a row it takes longer: 400 ms, more or less.
    const killedMs = performance.now();
    process.kill(second, 'SIGKILL');
    await newest(2);
    expect(performance.now() - killedMs).to.be.greaterThan(300);
  });

  it('end with the agent, however that ends', async () => {
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      const lines = (await agent.lines('child')).length;
      const child = (await health()).pid;
      await agent.end(signal);
      await eventually(async () => !(await isAlive(child)));
      await agent.begin();
      await newest(lines);
    }
  });

  it('are ended by the next life when they hang and do not notice the end of this one', async () => {
    const lines = (await agent.lines('child')).length;
    const { pid } = await health();
    // The list of children is written by the time that the child runs.
    await eventually(async () => (await readFile(`${agent.directory}/data/children.json`, 'utf8')).includes(`"pid":${pid},`));
    process.kill(pid, 'SIGSTOP');
    await agent.end('SIGKILL');
    expect(await isAlive(pid)).to.equal(true);
    await agent.begin();
    await eventually(async () => !(await isAlive(pid)));
    expect(await newest(lines)).to.not.equal(pid);
  });
});
