import { execFile } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import type { AgentCommand, ServedMachine } from '@pileus/core/agent';
import { Ids } from '@pileus/core/kernel';
import { nodeEnvironment } from '@pileus/core/node';
import { expect } from 'chai';
import { outerOf } from '../../src/agent/services/namespace.ts';
import { namespaceOf } from '../../src/agent/services/place.ts';
import { AgentProcess, eventually, Receiver } from './agent-process.ts';
import { askNames, BridgedNetwork, fetchFrom, fetchMany, LINK_LOCAL, tokenFor } from './bridged-networks.ts';

const run = promisify(execFile);
const BRIDGED = fileURLToPath(new URL('bridged-agent.ts', import.meta.url));
const environment = nodeEnvironment();
const ids = new Ids(environment.clock, environment.random);

describe('agent: metadata', function () {
  this.timeout(600_000);
  let agent: AgentProcess;
  let receiver: Receiver;
  /** Two with the same addresses. */
  let networks: readonly BridgedNetwork[];
  let guests: readonly string[];
  const networkIds = [ids.mint('network'), ids.mint('network')] as const;
  const vpcIds = [ids.mint('vpc'), ids.mint('vpc')] as const;
  const instanceIds = [ids.mint('instance'), ids.mint('instance')] as const;

  /** Says it, and waits until it is done. */
  const told = async (command: AgentCommand, id: string = ids.mint('operation')) => {
    await agent.command(id, receiver.url, { body: command });
    const { outcome } = await eventually(
      async () => (await agent.ask('GET', `/v1/commands/${id}`)).json,
      ({ state }) => state === 'done',
    );
    expect(outcome.ok, JSON.stringify(outcome)).to.equal(true);
    return outcome.result;
  };
  const machine = (index: 0 | 1, more: Partial<ServedMachine> = {}): ServedMachine => ({
    instanceId: instanceIds[index],
    name: `web-${index}`,
    hostname: `web-${index}`,
    fqdn: `web-${index}.vpc-${index}.internal`,
    instanceType: 'small',
    zone: 'here',
    projectId: ids.mint('project'),
    sshKeys: ['ssh-ed25519 AAAA one@home', 'ssh-ed25519 BBBB'],
    userData: `#cloud-config\nindex: ${index}\n`,
    nics: [
      {
        nicId: ids.mint('nic'),
        networkId: networkIds[index],
        mac: '02:00:00:00:01:11',
        mtuBytes: 1442,
        addresses: [{ address: '10.0.1.11', prefixLength: 24, gateway: '10.0.1.1', subnetId: ids.mint('subnet') }],
        dnsServers: ['10.0.1.2'],
      },
    ],
    ...more,
  });
  const serveNetwork = (index: 0 | 1) =>
    told({
      type: 'network.serve',
      input: {
        networkId: networkIds[index],
        vpcId: vpcIds[index],
        bridge: networks[index]?.bridge ?? '',
        interfaceId: `service-${networkIds[index]}`,
        mac: '02:00:00:00:01:fe',
        mtuBytes: 1442,
        addresses: [{ address: '10.0.1.2', prefixLength: 24 }, ...(index === 0 ? [{ address: 'fd00:1::2', prefixLength: 64 }] : [])],
      },
    });

  before(async () => {
    networks = [await BridgedNetwork.start(), await BridgedNetwork.start()];
    guests = await Promise.all(networks.map((network) => network.guest('10.0.1.11', '10.0.1.2', '02:00:00:00:01:11')));
    agent = await AgentProcess.start({ program: BRIDGED });
    receiver = await Receiver.start(agent.controller);
    for (const index of [0, 1] as const) {
      await serveNetwork(index);
      await told({ type: 'machine.serve', input: machine(index) });
    }
    const records = [{ name: 'web-0.vpc-0.internal', addresses: ['10.0.1.11'] }];
    await told({ type: 'names.serve', input: { vpcId: vpcIds[0], domain: 'vpc-0.internal', cidrs: ['10.0.1.0/24'], records } });
  });
  after(async () => {
    for (const networkId of networkIds) await told({ type: 'network.withdraw', input: { networkId } });
    await receiver.close();
    await agent.close();
    for (const network of networks) await network.close();
  });
  const guest = (index: 0 | 1): string => guests[index] ?? '';
  /** What a guest reads with a token. */
  const read = async (index: 0 | 1, path: string) => fetchFrom(guest(index), path, { headers: await tokenFor(guest(index)) });

  it('tells each machine its own, also where two networks have the same addresses', async () => {
    for (const index of [0, 1] as const) {
      expect(await read(index, '/latest/meta-data/instance-id')).to.deep.equal({ status: 200, text: instanceIds[index] });
      expect(await read(index, '/latest/user-data')).to.deep.equal({ status: 200, text: `#cloud-config\nindex: ${index}\n` });
    }
  });

  it('has the paths that the tools of EC2 read', async () => {
    const headers = await tokenFor(guest(0));
    const seen = async (path: string) => (await fetchFrom(guest(0), path, { headers })).text;
    expect((await seen('/')).split('\n')).to.include.members(['2009-04-04', '2021-03-23', 'latest']);
    expect(await seen('/latest/')).to.equal('meta-data/\nuser-data');
    expect((await seen('/2021-03-23/meta-data/')).split('\n')).to.include.members([
      'instance-id',
      'local-ipv4',
      'network/',
      'public-keys/',
      'placement/',
    ]);
    expect(await seen('/latest/meta-data/public-keys/')).to.equal('0=one@home\n1=key-1');
    expect(await seen('/latest/meta-data/public-keys/0/openssh-key')).to.equal('ssh-ed25519 AAAA one@home');
    expect(await seen('/latest/meta-data/placement/availability-zone')).to.equal('here');
    expect(await seen('/latest/meta-data/network/interfaces/macs/')).to.equal('02:00:00:00:01:11/');
    expect(await seen('/latest/meta-data/network/interfaces/macs/02:00:00:00:01:11/subnet-ipv4-cidr-block')).to.equal('10.0.1.0/24');
    expect((await fetchFrom(guest(0), '/latest/meta-data/nothing', { headers })).status).to.equal(404);
    expect((await fetchFrom(guest(0), '/1999-01-01/meta-data/', { headers })).status).to.equal(404);
  });

  it('has the paths that the tools of OpenStack read', async () => {
    const seen = async (path: string) => fetchFrom(guest(0), path);
    expect((await seen('/openstack')).text.split('\n')).to.include('latest');
    const metaData = JSON.parse((await seen('/openstack/latest/meta_data.json')).text);
    expect(metaData).to.deep.include({ uuid: instanceIds[0], hostname: 'web-0.vpc-0.internal', availability_zone: 'here' });
    const network = JSON.parse((await seen('/openstack/2018-08-27/network_data.json')).text);
    expect(network.links[0]).to.deep.include({ type: 'phy', ethernet_mac_address: '02:00:00:00:01:11', mtu: 1442 });
    expect([network.networks[0].type, network.services]).to.deep.equal(['ipv4_dhcp', [{ type: 'dns', address: '10.0.1.2' }]]);
    expect((await seen('/openstack/latest/user_data')).text).to.equal('#cloud-config\nindex: 0\n');
    expect((await seen('/openstack/latest/vendor_data.json')).text).to.equal('{}');
    expect((await seen('/openstack/latest/password')).status).to.equal(404);
  });

  it('knows who asks from an address of the link, whatever interfaces the host has', async () => {
    const indexOf = async (...words: readonly string[]) => {
      const [link] = JSON.parse((await run('ip', ['-j', ...words])).stdout) as readonly { readonly ifindex: number }[];
      return link?.ifindex;
    };
    for (const networkId of networkIds)
      expect(await indexOf('link', 'show', outerOf(networkId))).to.equal(
        await indexOf('-n', namespaceOf(networkId), 'link', 'show', 'eth0'),
      );
  });

  it('answers at an address of the link, too, where the network has IPv6', async () => {
    const host = LINK_LOCAL;
    const path = '/openstack/latest/user_data';
    // Addresses of a link are not there at once.
    const seen = await eventually(
      () => fetchFrom(guest(0), path, { host, timeoutMs: 3_000 }),
      ({ status }) => status === 200,
    );
    expect(seen.text).to.equal('#cloud-config\nindex: 0\n');
    const headers = await tokenFor(guest(0), 60, { host });
    expect(await fetchFrom(guest(0), '/latest/meta-data/instance-id', { host, headers })).to.deep.include({ text: instanceIds[0] });
    for (const [name, status] of [
      ['[fe80::a9fe:a9fe]', 200],
      ['[fe80::a9fe:a9fe%25eth0]:80', 200],
      ['[fe80::1]', 403],
    ] as const)
      expect((await fetchFrom(guest(0), path, { host, headers: { Host: name } })).status, name).to.equal(status);
    const stranger = (await networks[0]?.guest('10.0.1.98', '10.0.1.2', '02:00:00:00:01:98')) ?? '';
    await eventually(
      () => fetchFrom(stranger, path, { host, timeoutMs: 3_000 }),
      ({ status }) => status === 404,
    );
    expect((await fetchFrom(guest(1), path, { host, timeoutMs: 2_000 })).status).to.equal(0);
  });

  it('wants a token, of this machine, that is still good', async () => {
    const path = '/latest/meta-data/instance-id';
    const statusWith = async (headers: Readonly<Record<string, string>>) => (await fetchFrom(guest(0), path, { headers })).status;
    expect(await statusWith({})).to.equal(401);
    expect(await statusWith({ 'X-aws-ec2-metadata-token': 'zzzz.abc' })).to.equal(401);
    expect(await statusWith(await tokenFor(guest(1)))).to.equal(401);
    for (const seconds of ['0', '21601', 'x']) {
      const headers = { 'X-aws-ec2-metadata-token-ttl-seconds': seconds };
      expect((await fetchFrom(guest(0), '/latest/api/token', { method: 'PUT', headers })).status).to.equal(400);
    }
    expect((await fetchFrom(guest(0), '/latest/api/token', { method: 'PUT' })).status).to.equal(400);
    const short = await tokenFor(guest(0), 1);
    await eventually(
      () => statusWith(short),
      (status) => status === 401,
    );
  });

  it('answers nothing that was forwarded, or meant for another host, and nobody whom it does not know', async () => {
    const status = async (headers: Readonly<Record<string, string>>, method = 'GET') =>
      (await fetchFrom(guest(0), '/openstack/latest/meta_data.json', { headers, method })).status;
    expect(await status({})).to.equal(200);
    expect(await status({ 'X-Forwarded-For': '192.0.2.1' })).to.equal(403);
    expect(await status({ Via: '1.1 proxy' })).to.equal(403);
    expect(await status({ Host: 'rebound.example.org' })).to.equal(403);
    expect(await status({}, 'POST')).to.equal(405);
    const headers = { 'X-aws-ec2-metadata-token-ttl-seconds': '60', 'X-Forwarded-For': '192.0.2.1' };
    expect((await fetchFrom(guest(0), '/latest/api/token', { method: 'PUT', headers })).status).to.equal(403);
    const stranger = await networks[0]?.guest('10.0.1.99', '10.0.1.2');
    expect((await fetchFrom(stranger ?? '', '/openstack/latest/meta_data.json')).status).to.equal(404);
  });

  it('sends answers that travel one hop, and names further', async () => {
    const container = (await networks[0]?.behind(guest(0))) ?? '';
    expect((await fetchFrom(container, '/openstack/latest/meta_data.json', { timeoutMs: 2_000 })).status).to.equal(0);
    expect((await fetchFrom(guest(0), '/openstack/latest/meta_data.json')).status).to.equal(200);
    // By the same way, with the same translation.
    const told = await askNames(container, { server: '10.0.1.2', name: 'web-0.vpc-0.internal', type: 'A' });
    expect(told.answers).to.deep.equal(['10.0.1.11']);
  });

  it('bounds how often a machine asks, and nobody else suffers from it', async () => {
    const path = '/openstack/latest/vendor_data.json';
    // So many that they are too many on a slow machine, too.
    const statuses = (await fetchMany(guest(0), path, 2_000)).map(({ status }) => status);
    expect(statuses).to.include(200).and.to.include(429);
    expect((await fetchFrom(guest(1), path)).status).to.equal(200);
    await eventually(
      async () => (await fetchFrom(guest(0), path)).status,
      (status) => status === 200,
    );
  });

  it('goes on when the process that serves it is killed, and after the agent was, with the tokens of before', async () => {
    const headers = await tokenFor(guest(0), 3_600);
    const isServed = async () => (await fetchFrom(guest(0), '/latest/meta-data/instance-id', { headers, timeoutMs: 5_000 })).status === 200;
    const status = (await agent.ask('GET', '/v1/status')).json;
    expect(status.served).to.deep.equal({ networks: [...networkIds], machines: [...instanceIds], names: [vpcIds[0]] });
    process.kill(status.children[0].pid, 'SIGKILL');
    await eventually(isServed);
    await agent.end();
    await agent.begin();
    await eventually(isServed);
  });

  it('makes the namespaces anew that went with a restart of the host', async () => {
    await agent.end('SIGTERM');
    await run('ip', ['netns', 'delete', `pileus-${networkIds[0]}`]);
    await agent.begin();
    await eventually(async () => (await fetchFrom(guest(0), '/openstack/latest/vendor_data.json', { timeoutMs: 5_000 })).status === 200);
  });

  it('holds to what was said last, in whatever order it comes, and keeps no secret of it in the journal', async () => {
    const [earlier, later] = [ids.mint('operation'), ids.mint('operation')];
    const userData = `secret-${ids.mint('secret')}`;
    expect(await told({ type: 'machine.serve', input: machine(0, { userData }) }, later)).to.deep.equal({ applied: true });
    expect(await told({ type: 'machine.serve', input: machine(0, { userData: 'old' }) }, earlier)).to.deep.equal({ applied: false });
    await eventually(
      async () => (await read(0, '/latest/user-data')).text,
      (text) => text === userData,
    );
    const listed = (await agent.ask('GET', `/v1/commands/${later}`)).json;
    expect(JSON.stringify(listed)).to.not.include(userData);
    // Another one under the same id is refused.
    const other = await agent.command(later, receiver.url, { body: { type: 'machine.serve', input: machine(0, { userData: 'other' }) } });
    expect([other.status, other.json.params.reason]).to.deep.equal([409, 'other_command']);
    await told({ type: 'machine.withdraw', input: { instanceId: instanceIds[0] } });
    await eventually(
      async () => (await fetchFrom(guest(0), '/openstack/latest/meta_data.json')).status,
      (status) => status === 404,
    );
  });

  it('leaves nothing of a network that was withdrawn', async () => {
    const networkId = networkIds[1];
    await told({ type: 'network.withdraw', input: { networkId } });
    const { stdout } = await run('ip', ['netns', 'list']);
    expect(stdout).to.not.include(networkId);
    const links = (await run('ip', ['-o', 'link'])).stdout;
    expect(links).to.not.include(`pls${networkId.replaceAll('-', '').slice(-12)}`);
    expect((await agent.ask('GET', '/v1/status')).json.served.networks).to.deep.equal([networkIds[0]]);
    await readFile(`${agent.directory}/data/served/networks/${networkId}.json`, 'utf8').then((text) =>
      expect(text).to.not.include('bridge'),
    );
  });
});
