import { expect } from 'chai';
import { Health } from '../../src/ovn/health.ts';
import { Milestone } from '../../src/ovn/milestone.ts';
import { Northbound } from '../../src/ovn/northbound.ts';
import { Southbound } from '../../src/ovn/southbound.ts';
import { PrivateCentral } from './private-central.ts';
import { call, portSpec, routedSpec, vpcSpec } from './specs.ts';

describe('trouble with hosts of OVN', function () {
  this.timeout(120_000);

  it('is one that is not known or does not follow, and ports that it has lost; and an ovn-northd that does not follow', async () => {
    await using central = await PrivateCentral.start();
    const { northbound: nb, southbound: sb } = central.options;
    await using northbound = new Northbound(nb, { cloudId: 'looker', epoch: 1 });
    await using southbound = new Southbound(sb);
    const health = new Health(northbound, southbound, new Milestone(0));
    const driver = central.open();
    const [here, nowhere] = ['10.0.0.11', '10.0.0.12'].map((address) => portSpec(address, 'net', address, { vpcId: vpcSpec('vpc').id }));
    try {
      await driver.vpcs?.ensure(vpcSpec('vpc'), call());
      await driver.ensureNetwork(routedSpec('net', 'vpc', '10.0.0.0/24'), call());
      for (const port of [here, nowhere]) if (port !== undefined) await driver.ensurePort(port, call());
      await central.addChassis('chassis-2', { hostname: 'host-2' });
      await central.settled();
      await central.sbctl('lsp-bind', here?.nicId ?? '', 'chassis-2');
    } finally {
      await driver.close();
    }
    const hosts = [
      { host: 'host-2', nicIds: [here?.nicId ?? '', nowhere?.nicId ?? ''] },
      { host: 'host-9', nicIds: [] },
    ];
    const ask = async () => {
      const { reason, hosts: seen } = await health.troubles(hosts, call());
      return [reason?.split(':')[0], ...seen.map((each) => [each.host, each.reason?.split(':')[0], each.unplugged])];
    };
    const unknown = ['host-9', 'is not known to OVN', []];
    const known = (reason?: string) => ['host-2', reason, [nowhere?.nicId]];
    expect(await ask()).to.deep.equal([undefined, known(), unknown], 'nothing was due before');
    await central.settled();
    expect(await ask()).to.deep.equal([undefined, known('does not follow OVN'), unknown]);
    await central.sbctl('set', 'Chassis_Private', 'chassis-2', 'nb_cfg=1000000');
    await central.settled();
    expect(await ask()).to.deep.equal([undefined, known(), unknown]);
    await central.stopNorthd();
    await ask();
    expect(await ask()).to.deep.equal(['does not follow its northbound database', known(), unknown]);
    central.startNorthd();
    await central.settled();
    expect((await ask())[0]).to.equal(undefined);
  });
});
