import { SHARED_SITE } from '@pileus/core/testing';
import { expect } from 'chai';
import { securityGroup, securityGroupRule, vpc } from '../../../../src/cloud/index.ts';
import { equals } from '../../../../src/kernel/index.ts';
import type { SecurityGroupSpec } from '../../../../src/strategy/index.ts';
import { LittleCloud } from '../../little-cloud.ts';

const NOBODY = '00000000-0000-7000-8000-00000000dead';

/** A cloud with two VPCs. */
class Stage extends LittleCloud {
  vpcId = '';
  otherVpcId = '';
  #made = 0;

  static async ready(): Promise<Stage> {
    const stage = new Stage();
    await stage.sim.start();
    stage.vpcId = await stage.sim.done('vpc.create', { name: 'vpc-1' });
    stage.otherVpcId = await stage.sim.done('vpc.create', { name: 'vpc-2' });
    return stage;
  }

  group(more: object = {}): Promise<string> {
    this.#made += 1;
    return this.sim.done('securityGroup.create', { name: `group-${this.#made}`, vpcId: this.vpcId, ...more });
  }
  rule(securityGroupId: string, more: object = {}): Promise<string> {
    return this.sim.done('securityGroupRule.create', { securityGroupId, direction: 'inbound', ...more });
  }
  async defaultOf(vpcId: string): Promise<string> {
    return (await this.row(vpc, vpcId)).defaultSecurityGroupId;
  }

  /** What the fabric keeps of the group. */
  real(groupId: string): SecurityGroupSpec | undefined {
    return this.sim.world.fabric.kept.of('securityGroups').get(groupId)?.spec as SecurityGroupSpec | undefined;
  }
  async refused(input: object): Promise<readonly (string | undefined)[]> {
    const before = await this.revision();
    const error = await this.sim.submit('securityGroupRule.create', input).catch((cause: { code: string; pointer?: string }) => cause);
    expect(await this.revision()).to.equal(before);
    return 'code' in error ? [error.code, error.pointer] : ['accepted'];
  }
}

describe('security groups', () => {
  let at: Stage;
  before(async () => {
    at = await Stage.ready();
  });

  it('of a VPC begin with its default one: all from its members, everything out, in both families', async () => {
    const id = await at.defaultOf(at.vpcId);
    expect(await at.row(securityGroup, id)).to.include({ state: 'available', vpcId: at.vpcId });
    const rules = await at.sim.environment.complete(at.sim.kernel.reader.list(securityGroupRule, equals('securityGroupId', id)));
    expect(rules.map(({ state }) => state)).to.deep.equal(Array(4).fill('available'));
    expect(at.real(id)?.rules.map(({ id: _, ...rule }) => rule)).to.have.deep.members([
      { direction: 'inbound', family: 4, remote: { securityGroupId: id } },
      { direction: 'outbound', family: 4, remote: { cidrs: ['0.0.0.0/0'] } },
      { direction: 'inbound', family: 6, remote: { securityGroupId: id } },
      { direction: 'outbound', family: 6, remote: { cidrs: ['::/0'] } },
    ]);
  });

  it('keep the default one as long as its VPC, which takes it along', async () => {
    const own = await Stage.ready();
    const id = await own.defaultOf(own.vpcId);
    const error = await own.sim.submit('securityGroup.delete', { force: true }, id).catch((cause: object) => cause);
    expect(error).to.include({
      code: 'conflict',
      publicMessage: 'It is the default group of VPC vpc-1, and goes with that; its rules can be deleted.',
    });
    await own.sim.done('vpc.delete', {}, own.vpcId);
    expect(own.real(id)).to.equal(undefined);
    expect((await own.row(securityGroup, id)).state).to.equal('deleted');
  });

  it('that name each other go together, also by force and over crashes', async () => {
    for (const force of [false, true]) {
      const own = await Stage.ready();
      const [web, db] = [await own.group(), await own.group()];
      await own.rule(web, { direction: 'outbound', remoteGroupId: db });
      await own.rule(db, { remoteGroupId: web });
      const { operationId } = await own.sim.submit('vpc.delete', { force }, own.vpcId);
      let crashes = 0;
      own.sim.around = async (point, body) => {
        const result = await body();
        if (point.operationId === operationId && point.phase === 'do' && crashes < 3 && point.path.includes('remove')) {
          crashes += 1;
          own.sim.crash();
          await new Promise(() => undefined);
        }
        return result;
      };
      expect((await own.sim.ended(operationId)).state).to.equal('succeeded');
      expect(crashes).to.equal(3);
      expect([web, db].map((id) => own.real(id))).to.deep.equal([undefined, undefined]);
      expect((await own.rows(securityGroupRule)).filter(({ state }) => state !== 'deleted')).to.have.length(4);
    }
  });

  it('are whole objects of the fabric, made anew with each of their rules', async () => {
    const [web, db] = [await at.group({ description: 'who serves' }), await at.group()];
    const http = await at.rule(web, { protocol: 'tcp', firstPort: 80, lastPort: 443, cidrs: ['198.51.100.0/24', '192.0.2.0/24'] });
    const ping = await at.rule(web, { protocol: 'icmp', icmpType: 8, icmpCode: 0, family: 4 });
    const neighbour = await at.rule(db, { remoteGroupId: web, protocol: 'udp', firstPort: 53 });
    const six = await at.rule(web, { direction: 'outbound', cidrs: ['2001:db8::/32'] });
    expect(at.real(web)?.rules).to.deep.equal([
      {
        ...{ id: http, direction: 'inbound', family: 4, protocol: 'tcp', ports: { first: 80, last: 443 } },
        remote: { cidrs: ['198.51.100.0/24', '192.0.2.0/24'] },
      },
      { id: ping, direction: 'inbound', family: 4, protocol: 'icmp', icmp: { type: 8, code: 0 }, remote: { cidrs: ['0.0.0.0/0'] } },
      { id: six, direction: 'outbound', family: 6, remote: { cidrs: ['2001:db8::/32'] } },
    ]);
    expect(at.real(db)?.rules).to.deep.equal([
      { id: neighbour, direction: 'inbound', family: 4, protocol: 'udp', ports: { first: 53, last: 53 }, remote: { securityGroupId: web } },
    ]);
    const inUse = await at.sim.submit('securityGroup.delete', {}, web).catch((cause: object) => cause);
    expect(inUse).to.include({ code: 'in_use' });
    expect((await at.outcome('securityGroupRule.delete', {}, neighbour)).keys, 'in turn with other rules').to.have.members([neighbour, db]);
    expect(at.real(db)?.rules).to.deep.equal([]);
    await at.sim.done('securityGroup.delete', {}, web);
    expect(at.real(web)).to.equal(undefined);
  });

  it('change the networks of a rule in place', async () => {
    const web = await at.group();
    const rule = await at.rule(web, { protocol: 'tcp', firstPort: 443, cidrs: ['192.0.2.0/24'] });
    const remotes = () => at.real(web)?.rules.map(({ remote }) => remote);
    await at.sim.done('securityGroupRule.update', { cidrs: ['198.51.100.0/24', '203.0.113.0/24'] }, rule);
    expect(remotes()).to.deep.equal([{ cidrs: ['198.51.100.0/24', '203.0.113.0/24'] }]);
    await at.sim.done('securityGroupRule.update', { cidrs: null, name: 'https', description: 'from anywhere' }, rule);
    expect(remotes()).to.deep.equal([{ cidrs: ['0.0.0.0/0'] }]);
    expect(await at.row(securityGroupRule, rule))
      .to.include({ name: 'https', description: 'from anywhere' })
      .and.not.to.have.property('cidrs');
    const twin = await at.rule(web, { protocol: 'tcp', firstPort: 443, cidrs: ['192.0.2.0/24'] });
    const ofGroup = await at.rule(web, { remoteGroupId: web });
    for (const [id, cidrs, code, pointer] of [
      [twin, ['2001:db8::/32'], 'invalid_input', '/cidrs/0'],
      [twin, ['192.0.2.1/24'], 'invalid_input', '/cidrs/0'],
      [twin, null, 'conflict', ''],
      [ofGroup, ['192.0.2.0/24'], 'invalid_input', '/cidrs'],
    ] as const) {
      const error = await at.sim.submit('securityGroupRule.update', { cidrs }, id).catch((cause: object) => cause);
      expect(error, JSON.stringify(cidrs)).to.include({ code, pointer });
    }
  });

  it('refuse rules that make no sense, with the field at fault', async () => {
    const [web, theirs] = [await at.group(), await at.defaultOf(at.otherVpcId)];
    for (const [more, code, pointer] of [
      [{ protocol: 'tcp', firstPort: 443, lastPort: 80 }, 'invalid_input', '/lastPort'],
      [{ protocol: 'tcp', lastPort: 80 }, 'invalid_input', '/firstPort'],
      [{ protocol: 'tcp', firstPort: 0, lastPort: 80 }, 'invalid_input', '/firstPort'],
      [{ protocol: 'tcp', firstPort: 1, lastPort: 65_536 }, 'invalid_input', '/lastPort'],
      [{ firstPort: 80, lastPort: 80 }, 'invalid_input', '/firstPort'],
      [{ protocol: 'icmp', firstPort: 80, lastPort: 80 }, 'invalid_input', '/firstPort'],
      [{ protocol: 'tcp', icmpType: 8 }, 'invalid_input', '/icmpType'],
      [{ icmpCode: 0 }, 'invalid_input', '/icmpCode'],
      [{ protocol: 'icmp', icmpCode: 0 }, 'invalid_input', '/icmpType'],
      [{ protocol: 'icmp', icmpType: 256 }, 'invalid_input', '/icmpType'],
      [{ protocol: 'sctp' }, 'invalid_input', '/protocol'],
      [{ direction: 'sideways' }, 'invalid_input', '/direction'],
      [{ cidrs: [] }, 'invalid_input', '/cidrs'],
      [{ cidrs: ['10.0.0.1/24'] }, 'invalid_input', '/cidrs/0'],
      [{ cidrs: ['10.0.0.0/8', '10.0.0.0/8'] }, 'invalid_input', '/cidrs/1'],
      [{ cidrs: ['10.0.0.0/8', '2001:db8::/32'] }, 'invalid_input', '/cidrs/1'],
      [{ cidrs: ['2001:DB8::/32'] }, 'invalid_input', '/cidrs/0'],
      [{ family: 6, cidrs: ['10.0.0.0/8'] }, 'invalid_input', '/cidrs/0'],
      [{ family: 4, cidrs: ['2001:db8::/32'] }, 'invalid_input', '/cidrs/0'],
      [{ cidrs: ['10.0.0.0/8'], remoteGroupId: web }, 'invalid_input', '/remoteGroupId'],
      [{ remoteGroupId: theirs }, 'invalid_input', '/remoteGroupId'],
      [{ remoteGroupId: NOBODY }, 'not_found', '/remoteGroupId'],
      [{ securityGroupId: NOBODY }, 'not_found', '/securityGroupId'],
    ] as const)
      expect(await at.refused({ securityGroupId: web, direction: 'inbound', ...more }), JSON.stringify(more)).to.deep.equal([
        code,
        pointer,
      ]);
    expect((await at.sim.submit('securityGroup.create', { vpcId: NOBODY }).catch((cause: object) => cause)) as object).to.include({
      code: 'not_found',
      pointer: '/vpcId',
    });
  });

  it('take no rule twice, however it is written, and a limited number of them', async () => {
    const web = await at.group();
    await at.rule(web, { protocol: 'tcp', firstPort: 80, cidrs: ['10.0.0.0/8', '192.0.2.0/24'] });
    const same = { protocol: 'tcp', firstPort: 80, lastPort: 80, family: 4, cidrs: ['192.0.2.0/24', '10.0.0.0/8'] };
    expect(await at.refused({ securityGroupId: web, direction: 'inbound', ...same })).to.deep.equal(['conflict', '']);
    for (let port = 1; port < 128; port += 1) await at.rule(web, { protocol: 'udp', firstPort: port });
    expect(await at.refused({ securityGroupId: web, direction: 'outbound' })).to.deep.equal(['conflict', '/securityGroupId']);
  });

  it('have one of two equal rules that are asked for at once', async () => {
    const web = await at.group();
    const { kernel, principal, environment } = at.sim;
    const input = { securityGroupId: web, direction: 'outbound' };
    const asked = Array.from({ length: 3 }, () =>
      kernel.submit({ action: 'securityGroupRule.create', input, principal }).then(
        () => 'accepted',
        ({ code }: { code: string }) => code,
      ),
    );
    expect((await environment.complete(Promise.all(asked))).toSorted()).to.deep.equal(['accepted', 'conflict', 'conflict']);
  });

  it('have no rule of an operation that has not begun, and is cancelled then', async () => {
    const web = await at.group();
    const { kernel, principal, environment } = at.sim;
    const submit = async (firstPort: number) => {
      const input = { securityGroupId: web, direction: 'inbound', protocol: 'tcp', firstPort };
      return (await environment.complete(kernel.submit({ action: 'securityGroupRule.create', input, principal }))).operationId;
    };
    at.sim.world.freeze(SHARED_SITE);
    const [first, second, third] = [await submit(21), await submit(22), await submit(23)];
    // Before the third has begun, and after the second has looked at the rows.
    at.sim.around = async (point, body) => {
      const result = await body();
      if (point.operationId === second && point.type === 'effect') await kernel.operations.cancel(third);
      return result;
    };
    at.sim.world.thaw(SHARED_SITE);
    for (const id of [first, second]) expect((await at.sim.ended(id)).state).to.equal('succeeded');
    expect((await at.sim.ended(third)).state).to.equal('cancelled');
    at.sim.around = undefined;
    expect(at.real(web)?.rules.map(({ ports }) => ports?.first)).to.deep.equal([21, 22]);
  });
});
