import { expect } from 'chai';
import { type SimulatedServer, startSimulatedServer } from '../../sdk/test/fixture/simulated-server.ts';
import { Pileus } from './pileus.ts';

describe('cli: quota', function () {
  this.timeout(300_000);
  let server: SimulatedServer;
  let pileus: Pileus;
  before(async () => {
    server = await startSimulatedServer({ isEmpty: true });
    pileus = await Pileus.at(server);
  });
  after(async () => {
    await server.close();
    await pileus.remove();
  });

  it('shows what is used and what is limited, of the project and of its account', async () => {
    await pileus.ok('images', 'create', 'tiny', '--wait');
    await pileus.ok('projects', 'set-quota', 'default', '--limits', 'images=5,memoryBytes=1GiB', '--wait');
    const shown = await pileus.ok('quota');
    expect(shown).to.match(/^SCOPE +NAME +COUNTER +USED +LIMIT\n/);
    expect(shown).to.match(/^project +default +images +1 +5$/m);
    expect(shown).to.match(/^project +default +memoryBytes +0B +1073741824 \(1GiB\)$/m);
    expect(shown).to.match(/^account +default +images +1 +none$/m);
    expect(shown).not.to.include('vcpus');
    expect(await pileus.ok('quota', '--all', '--project', 'default'))
      .to.include('vcpus')
      .and.not.to.include('account');
    const items = await pileus.json<Record<string, unknown>[]>('quota', '--account', 'default');
    expect(items.map(({ scope }) => scope))
      .to.include('account')
      .and.not.to.include('project');
    await pileus.ok('projects', 'set-quota', 'default', '--limits', '{"memoryBytes": null}', '--wait');
    expect(await pileus.ok('quota')).not.to.include('memoryBytes');
    expect((await pileus.run('quota', '--project', 'nobody')).code).to.equal(3);
  });

  it('has a request asked for, approved and told of', async () => {
    await pileus.ok('quota-requests', 'create', 'more', '--project', 'default', '--limits', 'images=9', '--reason', 'A release.', '--wait');
    const told = await pileus.ok('quota-requests', 'approve', 'more', '--dry-run');
    expect(told).to.include('quotaRequest.approve more would be accepted');
    await pileus.ok('quota-requests', 'approve', 'more', '--answer', 'Well.', '--wait');
    expect(await pileus.ok('quota')).to.match(/^project +default +images +1 +9$/m);
  });
});
