import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Ids } from '@pileus/core/kernel';
import { fingerprintOf, nodeEnvironment } from '@pileus/core/node';
import { expect } from 'chai';
import { ServerProcess } from '../kills/server-process.ts';
import { AgentProcess, type Answer, eventually } from './agent-process.ts';
import { askNames, BridgedNetwork, fetchFrom, tokenFor } from './bridged-networks.ts';

const SIMULATED = fileURLToPath(new URL('../../../../tools/demo/simulated-drivers.ts', import.meta.url));
const BRIDGED = fileURLToPath(new URL('bridged-agent.ts', import.meta.url));
const environment = nodeEnvironment();
const SSH_KEY = 'ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f me@home';

describe('agent: metadata of machines that a server has made', function () {
  this.timeout(600_000);
  let network: BridgedNetwork;
  let agent: AgentProcess;
  let server: ServerProcess;
  let networkId: string;
  let imageId: string;
  const ask = async (path: string, body?: object, method = body === undefined ? 'GET' : 'POST'): Promise<Answer['json']> => {
    const { json } = await server.ask(path, {
      method,
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      headers: { prefer: 'wait=60' },
    });
    expect(json.error ?? json.code, JSON.stringify(json)).to.equal(undefined);
    return json;
  };
  const make = async (path: string, body: object): Promise<string> => (await ask(path, body)).resourceId;
  before(async () => {
    network = await BridgedNetwork.start();
    agent = await AgentProcess.start({ program: BRIDGED, args: ['--bridge', network.bridge] });
    const { directory, controller } = agent;
    const files = { certFile: join(directory, 'cloud.pem'), keyFile: join(directory, 'cloud.key') };
    await writeFile(files.certFile, controller.cert);
    await writeFile(files.keyFile, controller.key);
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
    const hostId = await make('/v1/hosts', { clusterId, uri: 'sim://hv1' });
    await make('/v1/pools', { name: 'disks', driver: 'simulated', hostId, settings: {} });
    await make('/v1/agents', { hostId, url: agent.url, fingerprint: fingerprintOf(agent.identity.cert) });
    await make('/v1/instance-types', { name: 'small', vcpus: 1, memoryBytes: 2 ** 30 });
    imageId = await make('/v1/images', { name: 'image' });
    const headers = { 'content-type': 'application/octet-stream' };
    await server.fetch(`/v1/images/${imageId}/content`, { method: 'PUT', body: new Uint8Array(4096), headers });
    const vpcId = await make('/v1/vpcs', { name: 'vpc-1' });
    networkId = await make('/v1/networks', { vpcId, subnets: [{ cidr: '10.0.7.0/24' }] });
  });
  after(async () => {
    await server.close();
    await agent.close();
    await network.close();
  });

  const machine = (name: string) =>
    make('/v1/instances', {
      ...{ name, hostname: name, instanceType: 'small', imageId, nics: [{ networkId }] },
      ...{ sshKeys: [SSH_KEY], userData: `#cloud-config\nname: ${name}\n` },
    });

  it('is there for the guest as soon as it is made, and gone with the machine', async () => {
    const id = await machine('web');
    const [nic] = (await ask(`/v1/nics?instanceId=${id}`)).items;
    const guest = await network.guest(nic.address, '10.0.7.2');
    const userData = () => fetchFrom(guest, '/openstack/latest/user_data', { timeoutMs: 2_000 });
    await eventually(userData, ({ status }) => status === 200);
    expect((await userData()).text).to.equal('#cloud-config\nname: web\n');
    const headers = await tokenFor(guest);
    expect((await fetchFrom(guest, '/latest/meta-data/instance-id', { headers })).text).to.equal(id);
    expect((await fetchFrom(guest, '/latest/meta-data/public-keys/0/openssh-key', { headers })).text).to.equal(SSH_KEY);
    expect((await fetchFrom(guest, '/latest/meta-data/mac', { headers })).text).to.equal(nic.mac);
    expect((await fetchFrom(guest, '/latest/meta-data/placement/availability-zone', { headers })).text).to.equal('here');
    const told = await askNames(guest, { server: '10.0.7.2', name: 'web.vpc-1.internal', type: 'A', edns: 1232 });
    expect(told.answers).to.deep.equal([nic.address]);
    await ask(`/v1/instances/${id}`, undefined, 'DELETE');
    await eventually(
      async () => (await agent.ask('GET', '/v1/status')).json.served,
      ({ machines, networks, names }) => machines.length + networks.length + names.length === 0,
    );
  });

  it('is there while the server is dead', async () => {
    const id = await machine('db');
    const [nic] = (await ask(`/v1/nics?instanceId=${id}`)).items;
    const guest = await network.guest(nic.address, '10.0.7.2');
    await eventually(
      async () => (await agent.ask('GET', '/v1/status')).json.served.machines,
      (machines) => machines.includes(id),
    );
    await server.kill();
    const seen = () => fetchFrom(guest, '/openstack/latest/user_data', { timeoutMs: 2_000 });
    expect((await eventually(seen, ({ status }) => status === 200)).text).to.equal('#cloud-config\nname: db\n');
    // Nothing of it is left on the machine that the tests run on.
    const networks = (await agent.ask('GET', '/v1/status')).json.served.networks;
    expect(networks).to.deep.equal([networkId]);
    const headers = { 'x-callback-url': 'https://192.0.2.1/', 'x-pileus-epoch': 'after:1' };
    const body = { type: 'network.withdraw', input: { networkId } };
    const command = `/v1/commands/${new Ids(environment.clock, environment.random).mint('operation')}`;
    await agent.ask('PUT', command, { body, headers });
    await eventually(
      async () => (await agent.ask('GET', command)).json.state,
      (state) => state === 'done',
    );
  });
});
