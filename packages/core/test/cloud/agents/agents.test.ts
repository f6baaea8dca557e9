import { expect } from 'chai';
import { agent } from '../../../src/cloud/index.ts';
import { isCloudError } from '../../../src/kernel/index.ts';
import { MachineStage } from '../compute/machine-stage.ts';
import { HEARTBEAT_MS } from '../little-cloud.ts';

const URL = 'https://192.0.2.1:7430';
const FINGERPRINT = 'a'.repeat(64);
const LINK = { name: 'eth0', sort: 'device', isUp: true, addresses: [], lowers: [], newerThanWeAre: 1 };

describe('agents', () => {
  it('are refused with the field at fault, and nothing changes', async () => {
    const stage = await MachineStage.with({ network: false });
    const [hostId] = stage.hostIds;
    const whole = { hostId, url: URL, fingerprint: FINGERPRINT };
    for (const [input, code, pointer] of [
      [{ ...whole, hostId: '00000000-0000-7000-8000-00000000dead' }, 'not_found', '/hostId'],
      [{ ...whole, url: 'http://192.0.2.1:7430' }, 'invalid_input', '/url'],
      [{ ...whole, url: `${URL}/v1` }, 'invalid_input', '/url'],
      [{ ...whole, fingerprint: 'A'.repeat(64) }, 'invalid_input', '/fingerprint'],
      [{ ...whole, fingerprint: 'a'.repeat(63) }, 'invalid_input', '/fingerprint'],
      [{ hostId, url: URL }, 'invalid_input', '/fingerprint'],
    ] as const) {
      const error = await stage.refusal('agent.create', input);
      expect([error.code, error.pointer], JSON.stringify(input)).to.deep.equal([code, pointer]);
    }
    expect(await stage.rows(agent)).to.deep.equal([]);
  });

  it('are one for each host, and go with it', async () => {
    const stage = await MachineStage.with({ hosts: 2, network: false });
    const [hostId, otherId] = stage.hostIds;
    const id = await stage.sim.done('agent.create', { hostId, url: URL, fingerprint: FINGERPRINT });
    const second = { hostId, url: 'https://192.0.2.2:7430', fingerprint: 'b'.repeat(64) };
    expect((await stage.refusal('agent.create', second)).code).to.equal('name_taken');
    expect((await stage.refusal('agent.create', { ...second, hostId: otherId, url: URL })).params).to.deep.include({ field: 'url' });
    await stage.sim.done('pool.delete', {}, stage.poolIds[0]);
    await stage.sim.done('host.delete', {}, hostId);
    expect((await stage.row(agent, id)).state).to.equal('deleted');
  });

  it('that speak no version of ours are not connected', async () => {
    const stage = await MachineStage.with({ network: false });
    stage.sim.agents.at(URL).versions = [7];
    const { operationId } = await stage.sim.submit('agent.create', { hostId: stage.hostIds[0], url: URL, fingerprint: FINGERPRINT });
    const { state, error } = await stage.sim.ended(operationId);
    expect([state, error?.code]).to.deep.equal(['failed', 'unsupported']);
    expect(error?.params).to.deep.equal({ theirs: [7], ours: [1] });
  });

  for (const [what, field, spoil, mend] of [
    ['links', '/links/0/mtuBytes', { links: [{ ...LINK, mtuBytes: '9000' }] }, { links: [LINK] }],
    ['links', '/links/0/lowers', { links: [{ ...LINK, lowers: undefined }] }, { links: [LINK] }],
    ['what it is', '/agentId', { agentId: 7 }, { agentId: 'agent-1' }],
    ['versions', '/versions', { versions: '1' }, { versions: [1] }],
  ] as const)
    it(`whose report of ${what} is malformed (${field}) are not believed, and are lost with the field at fault if it goes on`, async () => {
      const stage = await MachineStage.with({ network: false });
      const id = await stage.sim.done('agent.create', { hostId: stage.hostIds[0], url: URL, fingerprint: FINGERPRINT });
      const there = stage.sim.agents.at(URL);
      Object.assign(there, mend);
      await stage.sim.run(3 * HEARTBEAT_MS);
      const { generation, agentId } = await stage.row(agent, id);
      Object.assign(there, JSON.parse(JSON.stringify(spoil)));
      await stage.sim.run(HEARTBEAT_MS);
      expect((await stage.row(agent, id)).generation).to.equal(generation);
      await stage.sim.run(5 * HEARTBEAT_MS);
      const { status, statusReason, agentId: then } = await stage.row(agent, id);
      expect([status, then]).to.deep.equal(['lost', agentId]);
      expect(statusReason)
        .to.match(/malformed/)
        .and.include(field);
      Object.assign(there, mend);
      await stage.sim.run(3 * HEARTBEAT_MS);
      expect(await stage.row(agent, id)).to.include({ status: 'connected' });
    });

  it('whose answer is of another command are not believed, and asked again', async () => {
    const stage = await MachineStage.with({ network: false });
    const { sim, hostIds } = stage;
    const real = sim.agents.ask.bind(sim.agents);
    let swapped = 0;
    const ask: typeof real = async (at, request) => {
      const answer = await real(at, request);
      if (!request.path.startsWith('/v1/commands/') || swapped === 2) return answer;
      swapped += 1;
      const { json } = answer as { readonly json: object };
      const outcome = { ok: true, result: { hostname: 'another', kernel: '1.0.0', programs: {} } };
      return { ...answer, json: { ...json, commandId: '01890a5d-ac96-774b-bcce-b302099a8057.inspect', outcome } } as typeof answer;
    };
    sim.agents.ask = ask;
    const id = await sim.done('agent.create', { hostId: hostIds[0], url: URL, fingerprint: FINGERPRINT });
    expect([swapped, (await stage.row(agent, id)).kernel]).to.deep.equal([2, '6.0.0']);
  });

  it('are told outcomes of by nobody who cannot prove it', async () => {
    const stage = await MachineStage.with({ network: false });
    const commandId = '01890a5d-ac96-774b-bcce-b302099a8057.inspect';
    const body = { agentId: 'a', commandId, type: 'host.inspect', finishedAt: '', outcome: { ok: true, result: {} } };
    const told = (proof: string, of = commandId) =>
      stage.sim.call('POST', '/agent-outcomes/{commandId}/{proof}', { params: { commandId: of, proof }, body }).then(
        () => 'taken',
        (error: unknown) => (isCloudError(error) ? error.code : error),
      );
    const { secrets } = stage.sim.kernel.services;
    expect(await told(secrets.digest('agent-outcome', commandId))).to.equal('taken');
    expect(await told(secrets.digest('agent-outcome', 'another'))).to.equal('not_found');
    expect(await told('')).to.equal('not_found');
    expect(await told(secrets.digest('agent-outcome', 'x'), 'x')).to.equal('invalid_input');
  });
});
