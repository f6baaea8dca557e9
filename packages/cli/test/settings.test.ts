import { expect } from 'chai';
import { type SimulatedServer, startSimulatedServer } from '../../sdk/test/fixture/simulated-server.ts';
import { Pileus } from './pileus.ts';

describe('cli: settings', function () {
  this.timeout(300_000);
  let server: SimulatedServer;
  let pileus: Pileus;
  before(async () => {
    server = await startSimulatedServer();
    pileus = await Pileus.at(server);
  });
  after(async () => {
    await server.close();
    await pileus.remove();
  });

  it('shows those that there are', async () => {
    const shown = await pileus.ok('settings', 'list');
    expect(shown).to.match(/^KEY +DEFAULT +CONFIGURED +LEVELS +VALUES +DESCRIPTION/);
    expect(shown).to.match(/^hosts\.heartbeatSeconds +5 +- +global, zone, cluster, host +0 +How often/m);
    expect(await pileus.ok('settings', 'list', '-o', 'name')).to.include('images.bytesMax\n');
  });

  it('sets one for a resource, shows where it comes from, resets it and rolls back', async () => {
    const key = 'hosts.shutdownSeconds';
    await pileus.ok('settings', 'set', key, '40', '--wait');
    await pileus.ok('settings', 'set', key, '20', '--host', 'hv1', '--wait');
    const shown = () => pileus.ok('settings', 'effective', key, '--host', 'hv1');
    expect(await shown()).to.match(/^hosts\.shutdownSeconds +20 +host +hv1 +40 \(global\), 60 \(default\)$/m);
    await pileus.ok('settings', 'reset', key, '--host', 'hv1', '--wait');
    expect(await shown()).to.match(/^hosts\.shutdownSeconds +40 +global +- +60 \(default\)$/m);
    expect((await pileus.run('settings', 'reset', key, '--host', 'hv1')).err).to.include('no value there');
    const history = await pileus.ok('settings', 'history', key, '--host', 'hv1');
    expect(history).to.match(/^AGE +KEY +LEVEL +RESOURCE NAME +FROM +TO +ACTOR +ID/);
    expect(history).to.match(/hosts\.shutdownSeconds +host +hv1 +20 +inherited +key:root/);
    const [change] = (await pileus.ok('settings', 'history', key, '--host', 'hv1', '-o', 'name')).split('\n');
    await pileus.ok('settings', 'rollback', String(change), '--wait');
    expect(await shown()).to.match(/ 20 +host +hv1 /);
  });

  it('takes values as the setting does, and tells what is wrong with them', async () => {
    await pileus.ok('settings', 'set', 'images.bytesMax', '2GiB', '--wait');
    const [item] = await pileus.json<{ value: unknown }[]>('settings', 'effective', 'images.bytesMax');
    expect(item?.value).to.equal(2 * 1024 ** 3);
    await pileus.ok('settings', 'set', 'strays.volumes', 'adopt', '--cluster', 'rack', '--wait');
    const told = await pileus.ok('settings', 'set', 'strays.volumes', 'remove', '--dry-run');
    expect(told).to.include('settingValue.set').and.to.include('would be accepted');
    const wrong = await pileus.run('settings', 'set', 'strays.volumes', 'burn');
    expect(wrong).to.include({ code: 2 });
    expect(wrong.err).to.include('"keep", "adopt", "remove"');
    const unknown = await pileus.run('settings', 'set', 'hosts.shutdownSecond', '3');
    expect(unknown).to.include({ code: 2 });
    expect(unknown.err).to.include('There is no setting hosts.shutdownSecond.').and.to.include('Did you mean hosts.shutdownSeconds?');
    expect((await pileus.run('settings', 'set', 'images.bytesMax', '1', '--host', 'hv1')).err).to.include('is for global');
    expect((await pileus.run('settings', 'effective', '--host', 'nobody')).code).to.equal(3);
    expect((await pileus.run('settings', 'effective', '--host', 'hv1', '--zone', 'home')).code).to.equal(2);
  });
});
