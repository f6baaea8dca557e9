import { assert, expect } from 'chai';
import { instance, nic, subnet, systemPrincipal } from '../../../src/cloud/index.ts';
import { Addresses } from '../../../src/cloud/network/addresses.ts';
import { isNicClash, nicPlace, nicRow } from '../../../src/cloud/network/contract.ts';
import { equals, revert } from '../../../src/kernel/index.ts';
import { MachineStage } from '../compute/machine-stage.ts';
import { codeOf } from '../little-cloud.ts';

/** Makes NICs as acceptance does, without machines around them. */
class Allocator {
  readonly #stage: MachineStage;
  readonly #networkId: string;
  readonly addresses = new Addresses();

  constructor(stage: MachineStage, networkId: string) {
    this.#stage = stage;
    this.#networkId = networkId;
  }

  async nic(address?: string): Promise<string> {
    const { kernel, environment } = this.#stage.sim;
    const { reader, ids } = kernel.services;
    const { projectId } = systemPrincipal();
    const asked = { networkId: this.#networkId, ...(address === undefined ? {} : { address }) };
    for (;;) {
      const place = await nicPlace(reader, asked, '', systemPrincipal());
      const owner = { id: ids.mint('nic'), instanceId: ids.mint('instance'), projectId, slot: 0 };
      const { statements, params } = await nicRow(place, owner, {
        ...{ addresses: this.addresses, settings: kernel.services.settings, environment, reader },
        mint: (kind) => ids.mint(kind),
      });
      const result = await kernel.observe(statements);
      if (result.ok) return params.address;
      assert.equal(result.reason, 'exists');
      assert.isTrue(isNicClash(result, statements[result.statement]));
    }
  }

  many(count: number): Promise<readonly string[]> {
    return this.#stage.sim.environment.complete(Promise.all(Array.from({ length: count }, () => this.nic())));
  }

  async free(address: string): Promise<void> {
    const [row] = await this.#stage.sim.environment.complete(this.#stage.sim.kernel.reader.list(nic, equals('address', address)));
    if (row === undefined) throw new Error(`nobody has ${address}`);
    await this.#stage.sim.environment.complete(this.#stage.sim.kernel.observe([revert(nic, row.id, { from: 'creating', to: 'deleted' })]));
  }
}

const on = async (cidr: string): Promise<{ readonly stage: MachineStage; readonly allocator: Allocator; readonly networkId: string }> => {
  const stage = await MachineStage.with({ network: false });
  const networkId = await stage.network({ subnets: [{ cidr }] });
  return { stage, networkId, allocator: new Allocator(stage, networkId) };
};

describe('allocation of addresses', () => {
  it('gives 10,000 that ask at once an address each', async function () {
    this.timeout(300_000);
    const { stage, allocator } = await on('10.0.0.0/18');
    const all = await allocator.many(10_000);
    expect(new Set(all).size).to.equal(10_000);
    const rows = await stage.rows(nic);
    expect(new Set(rows.map((row) => row.address)).size).to.equal(10_000);
    expect(all.every((address) => /^10\.0\.[0-5]?\d\.\d+$|^10\.0\.6[0-3]\.\d+$/.test(address))).to.equal(true);
    expect(all).not.to.include('10.0.0.1');
  });

  it('gives 300 machines that are made at once an address each, and takes all of them back', async function () {
    this.timeout(300_000);
    const stage = await MachineStage.with({ network: false, cpus: 512 });
    const networkId = await stage.network({ subnets: [{ cidr: '10.0.0.0/22' }] });
    const before = await stage.sim.residue();
    const { kernel, principal, environment } = stage.sim;
    const create = () =>
      kernel.submit({ action: 'instance.create', input: stage.input({ start: false, nics: [{ networkId }] }), principal });
    // Memory is not the point: the size is the smallest there is.
    await stage.sim.done(
      'instanceType.revise',
      { vcpus: 1, memoryBytes: 2 ** 24 },
      (await stage.sim.environment.complete(kernel.reader.list(kernel.registry.kind('instanceType'))))[0]?.id,
    );
    const accepted = await environment.complete(Promise.all(Array.from({ length: 300 }, create)));
    for (const { operationId } of accepted) expect((await stage.sim.ended(operationId)).state).to.equal('succeeded');
    const rows = await stage.rows(nic);
    expect([rows.length, new Set(rows.map((row) => row.address)).size]).to.deep.equal([300, 300]);
    const ports = [...(stage.worldHost().networks.get(networkId)?.ports.values() ?? [])];
    expect(new Set(ports.flatMap((port) => port.addresses)).size).to.equal(300);
    const gone = await environment.complete(
      Promise.all(
        (await stage.rows(instance)).map((row) => kernel.submit({ action: 'instance.delete', input: {}, principal, resourceId: row.id })),
      ),
    );
    for (const { operationId } of gone) expect((await stage.sim.ended(operationId)).state).to.equal('succeeded');
    expect(await stage.rows(nic)).to.deep.equal([]);
    expect(stage.worldHost().networks.get(networkId)?.ports.size).to.equal(0);
    const types = /"small"/g;
    expect((await stage.sim.residue()).match(types)?.length).to.equal((before.match(types)?.length ?? 0) + 1);
  });

  it('uses a small subnet up to the last one, then says that it is full, until one is free', async () => {
    const { stage, allocator } = await on('10.0.0.0/28');
    const all = await allocator.many(13);
    expect(new Set(all).size).to.equal(13);
    expect(await codeOf(stage.sim.environment.complete(allocator.nic()))).to.equal('no_capacity');
    const codes = await stage.sim.environment.complete(Promise.all(Array.from({ length: 20 }, () => codeOf(allocator.nic()))));
    expect(new Set(codes)).to.deep.equal(new Set(['no_capacity']));
    await allocator.free('10.0.0.7');
    expect(await stage.sim.environment.complete(allocator.nic())).to.equal('10.0.0.7');
    expect(await codeOf(stage.sim.environment.complete(allocator.nic()))).to.equal('no_capacity');
  });

  it('gives each address out, and none twice, when as many ask at once as there are, and more', async () => {
    const { stage, allocator } = await on('10.0.0.0/26');
    const answers = await stage.sim.environment.complete(
      Promise.all(Array.from({ length: 100 }, () => allocator.nic().catch((error: { code: string }) => error.code))),
    );
    const given = answers.filter((answer) => answer !== 'no_capacity');
    expect([given.length, new Set(given).size]).to.deep.equal([61, 61]);
  });

  it('leaves a freed address alone for as long as others are free', async () => {
    const { stage, allocator } = await on('10.0.0.0/28');
    const [first = ''] = await allocator.many(3);
    await allocator.free(first);
    expect(await allocator.many(10)).not.to.include(first);
    expect(await allocator.many(1)).to.deep.equal([first]);
    expect(await stage.rows(subnet)).to.have.length(1);
  });

  it('knows after a restart which are used', async () => {
    const { stage, networkId, allocator } = await on('10.0.0.0/28');
    await allocator.many(5);
    stage.sim.crash();
    await stage.sim.start();
    expect(new Set([...(await new Allocator(stage, networkId).many(8))]).size).to.equal(8);
  });

  it('loses none of a machine that is refused, or fails', async () => {
    const stage = await MachineStage.with({ network: false });
    const networkId = await stage.network({ subnets: [{ cidr: '10.0.0.0/29' }] });
    const nics = [{ networkId }];
    for (let count = 0; count < 12; count += 1) {
      expect((await stage.refusal('instance.create', stage.input({ nics, volumes: [{ sizeBytes: 2 ** 52 }] }))).code).to.equal(
        'no_capacity',
      );
      stage.sim.world.faults.add({ command: 'machines.define', times: 1, effect: 'fail', fault: 'invalid' });
      expect((await stage.outcome('instance.create', stage.input({ nics }))).state).to.equal('failed');
    }
    for (let count = 0; count < 5; count += 1) await stage.machine({ nics, start: false });
    const error = await stage.refusal('instance.create', stage.input({ nics }));
    expect([error.code, error.params?.reasons]).to.deep.equal(['no_capacity', ['10.0.0.0/29']]);
  });

  it('of IPv6 takes an address in any form for the same', async () => {
    const { stage, networkId, allocator } = await on('fd00::/64');
    expect(await allocator.many(2)).to.have.members(['fd00::2', 'fd00::3']);
    expect(await stage.sim.environment.complete(allocator.nic('fd00:0:0::00ff'))).to.equal('fd00::ff');
    expect(await codeOf(stage.sim.environment.complete(allocator.nic('fd00::FF')))).to.equal('name_taken');
    for (const address of ['fd00::0001', 'fd00::', 'fd00::ffff:ffff:ffff:ffff', 'fd01::1'])
      expect((await stage.refusal('instance.create', stage.input({ nics: [{ networkId, address }] }))).code, address).to.equal(
        'invalid_input',
      );
  });
});
