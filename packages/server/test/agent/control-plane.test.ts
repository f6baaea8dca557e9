import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { fingerprintOf } from '@pileus/core/node';
import { expect } from 'chai';
import { ServerProcess } from '../kills/server-process.ts';
import { AgentProcess, type Answer, eventually } from './agent-process.ts';

const SIMULATED = fileURLToPath(new URL('../../../../tools/demo/simulated-drivers.ts', import.meta.url));

describe('agent: commanded by a server', function () {
  this.timeout(600_000);
  let agent: AgentProcess;
  let server: ServerProcess;
  let hostId: string;
  const make = async (path: string, body: object): Promise<string> => {
    const { json } = await server.ask(path, { method: 'POST', body: JSON.stringify(body), headers: { prefer: 'wait=30' } });
    return json.resourceId;
  };
  before(async () => {
    agent = await AgentProcess.start();
    const directory = agent.directory;
    await writeFile(join(directory, 'cloud.pem'), agent.controller.cert);
    await writeFile(join(directory, 'cloud.key'), agent.controller.key);
    const files = { certFile: join(directory, 'cloud.pem'), keyFile: join(directory, 'cloud.key') };
    server = await ServerProcess.start((url) => ({
      agents: { ...files, callbackUrl: url },
      plugins: [{ module: SIMULATED, options: { hostname: 'hv1' } }],
      hosts: { heartbeatSeconds: 0.5 },
    }));
    const clusterId = await make('/v1/clusters', {
      name: 'one',
      zoneId: await make('/v1/zones', { name: 'here' }),
      hypervisor: 'simulated',
    });
    hostId = await make('/v1/hosts', { clusterId, uri: 'sim://hv1' });
  });
  after(async () => {
    await server.close();
    await agent.close();
  });
  const agentRow = async (id: string): Promise<Answer['json']> => (await server.ask(`/v1/agents/${id}`)).json;
  const identity = () => ({ url: agent.url, fingerprint: fingerprintOf(agent.identity.cert) });

  it('runs a step once that ends while the server is dead, and whose outcome lands when it is back', async () => {
    const { json } = await server.ask('/v1/agents', { method: 'POST', body: JSON.stringify({ name: 'a1', hostId, ...identity() }) });
    await eventually(
      () => agent.lines('runs'),
      ({ length }) => length === 1,
    );
    await server.kill();
    await agent.open();
    await eventually(
      async () => (await agent.ask('GET', '/v1/status')).json.commands,
      ({ unacknowledged }) => unacknowledged === 1,
    );
    await server.begin();
    const operation = await eventually<Answer['json']>(
      async () => (await server.ask(`/v1/operations/${json.operationId}`)).json,
      ({ state }) => !['queued', 'running'].includes(state),
    );
    expect(operation.state, JSON.stringify(operation)).to.equal('succeeded');
    expect(await agent.lines('runs')).to.deep.equal(['run']);
    // On a busy machine a look may have come too late meanwhile.
    const row = await eventually(
      () => agentRow('a1'),
      ({ status }) => status === 'connected',
    );
    expect(row).to.deep.include({ contractVersion: 1, kernel: String(agent.pid) });
    await eventually(
      async () => (await agent.ask('GET', '/v1/status')).json.commands,
      ({ unacknowledged }) => unacknowledged === 0,
    );
  });

  it('shows an agent that is gone as lost, and one that is back as connected', async () => {
    await agent.end();
    await eventually(
      async () => (await agentRow('a1')).status,
      (status) => status === 'lost',
    );
    await agent.begin();
    await eventually(
      async () => (await agentRow('a1')).status,
      (status) => status === 'connected',
    );
  });

  it('takes nobody for an agent whose certificate is another one', async () => {
    const fingerprint = 'b'.repeat(64);
    await server.ask('/v1/agents/a1', { method: 'PATCH', body: JSON.stringify({ fingerprint }), headers: { prefer: 'wait=30' } });
    await eventually(
      async () => (await agentRow('a1')).status,
      (status) => status === 'lost',
    );
    await server.ask('/v1/agents/a1', { method: 'PATCH', body: JSON.stringify(identity()), headers: { prefer: 'wait=30' } });
    await eventually(
      async () => (await agentRow('a1')).status,
      (status) => status === 'connected',
    );
  });

  it('has no agents without a certificate to show to them', async () => {
    const plain = await ServerProcess.start({});
    const body = JSON.stringify({ hostId: '00000000-0000-7000-8000-00000000dead', ...identity() });
    const { status, json } = await plain.ask('/v1/agents', { method: 'POST', body });
    expect([status, json.code]).to.deep.equal([409, 'unsupported']);
    await plain.close();
  });

  it('takes outcomes from those alone who were given the address', async () => {
    const id = '01890a5d-ac96-774b-bcce-b302099a8057.x';
    const outcome = { agentId: 'a', commandId: id, type: 'host.inspect', finishedAt: '', outcome: { ok: true, result: {} } };
    const { status, json } = await server.ask(`/v1/agent-outcomes/${id}/${'0'.repeat(64)}`, {
      method: 'POST',
      body: JSON.stringify(outcome),
    });
    expect([status, json.code]).to.deep.equal([404, 'not_found']);
  });
});
