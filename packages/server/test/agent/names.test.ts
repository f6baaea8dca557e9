import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { fileURLToPath } from 'node:url';
import type { AgentCommand } from '@pileus/core/agent';
import { Ids } from '@pileus/core/kernel';
import { nodeEnvironment } from '@pileus/core/node';
import { expect } from 'chai';
import { type Answer, decode, encode, type Packet } from 'dns-packet';
import { freePort } from '../../../../tools/system/free-port.ts';
import { AgentProcess, eventually, Receiver } from './agent-process.ts';
import { askNames, BridgedNetwork } from './bridged-networks.ts';

const BRIDGED = fileURLToPath(new URL('bridged-agent.ts', import.meta.url));
const environment = nodeEnvironment();
const ids = new Ids(environment.clock, environment.random);

/** A resolver of the internet that knows one name, and many addresses of another. */
async function upstream() {
  const asked: string[] = [];
  const answer = (packet: Buffer): Buffer => {
    const query = decode(packet);
    const name = query.questions?.[0]?.name ?? '';
    asked.push(name);
    const answers: Answer[] = name === 'www.example.org' ? [{ type: 'A', name, ttl: 60, data: '192.0.2.80' }] : [];
    return encode({
      type: 'response',
      id: query.id ?? 0,
      flags: answers.length === 0 ? 3 : 0,
      questions: query.questions ?? [],
      answers,
    } as Packet);
  };
  const port = await freePort();
  const udp = createSocket('udp4').bind(port, '127.0.0.1');
  await once(udp, 'listening');
  udp.on('message', (packet, { address, port: from }) => udp.send(answer(packet), from, address));
  const tcp = createServer((socket) => {
    socket.on('error', () => socket.destroy());
    socket.on('data', (chunk) => {
      const reply = answer(chunk.subarray(2));
      const length = Buffer.alloc(2);
      length.writeUInt16BE(reply.length);
      socket.end(Buffer.concat([length, reply]));
    });
  }).listen(port, '127.0.0.1');
  await once(tcp, 'listening');
  const close = () => Promise.all([new Promise<void>((done) => udp.close(done)), new Promise((done) => tcp.close(done))]);
  return { address: `127.0.0.1#${port}`, asked, close };
}

describe('agent: names', function () {
  this.timeout(600_000);
  let agent: AgentProcess;
  let receiver: Receiver;
  let network: BridgedNetwork;
  let guest: string;
  let internet: Awaited<ReturnType<typeof upstream>>;
  const networkId = ids.mint('network');
  const vpcId = ids.mint('vpc');

  const told = async (command: AgentCommand) => {
    const id = ids.mint('operation');
    await agent.command(id, receiver.url, { body: command });
    const { outcome } = await eventually(
      async () => (await agent.ask('GET', `/v1/commands/${id}`)).json,
      ({ state }) => state === 'done',
    );
    expect(outcome.ok, JSON.stringify(outcome)).to.equal(true);
  };
  const many = Array.from({ length: 25 }, (_, index) => `10.0.9.${index + 1}`);
  const records = [
    { name: 'web-1.vpc-1.internal', addresses: ['10.0.1.11'] },
    { name: 'db.vpc-1.internal', addresses: ['10.0.1.12', 'fd00:1::12'] },
    { name: 'a.deep.vpc-1.internal', addresses: ['10.0.1.13'] },
    { name: 'many.vpc-1.internal', addresses: many },
    // Of another VPC, which shares its names.
    { name: 'far.vpc-2.internal', addresses: ['10.2.0.9'] },
  ];
  const serve = (of: typeof records) =>
    told({
      type: 'names.serve',
      input: { vpcId, domain: 'vpc-1.internal', cidrs: ['10.0.0.0/22', '10.2.0.0/24', 'fd00:1::/64'], records: of },
    });
  const ask = (name: string, type: string, more: { edns?: number; transport?: 'udp' | 'tcp' } = {}) =>
    askNames(guest, { server: '10.0.1.2', name, type, ...more });

  before(async () => {
    internet = await upstream();
    network = await BridgedNetwork.start();
    guest = await network.guest('10.0.1.11', '10.0.1.2');
    // To the first no way leads, the second refuses.
    const upstreams = ['255.255.255.255', '127.0.0.1#9', internet.address];
    agent = await AgentProcess.start({ program: BRIDGED, config: { dns: { upstreams } } });
    receiver = await Receiver.start(agent.controller);
    const input = {
      ...{ networkId, vpcId, bridge: network.bridge, interfaceId: `service-${networkId}`, mac: '02:00:00:00:01:fe' },
      addresses: [{ address: '10.0.1.2', prefixLength: 24 }],
    };
    await told({ type: 'network.serve', input });
    await serve(records);
    await eventually(
      async () => (await ask('web-1.vpc-1.internal', 'A')).rcode,
      (rcode) => rcode === 'NOERROR',
    );
  });
  after(async () => {
    await told({ type: 'network.withdraw', input: { networkId } });
    await receiver.close();
    await agent.close();
    await network.close();
    await internet.close();
  });

  it('of the VPC are known, over UDP and TCP, plain and with EDNS, in whatever case', async () => {
    for (const more of [{}, { edns: 1232 }, { transport: 'tcp' as const }, { edns: 1232, transport: 'tcp' as const }]) {
      const seen = await ask('Db.Vpc-1.internal', 'A', more);
      expect(seen).to.deep.include({ id: 4711, rcode: 'NOERROR', authoritative: true, answers: ['10.0.1.12'] });
      expect(seen.additionals).to.deep.equal('edns' in more ? ['OPT'] : []);
    }
    expect((await ask('db.vpc-1.internal', 'AAAA')).answers).to.deep.equal(['fd00:1::12']);
  });

  it('of another VPC are known where they are shared', async () => {
    expect(await ask('far.vpc-2.internal', 'A', { edns: 1232 })).to.deep.include({ rcode: 'NOERROR', answers: ['10.2.0.9'] });
    expect((await ask('9.0.2.10.in-addr.arpa', 'PTR')).answers).to.deep.equal(['far.vpc-2.internal']);
    expect((await ask('8.0.2.10.in-addr.arpa', 'PTR')).rcode).to.equal('NXDOMAIN');
  });

  it('lead back from addresses', async () => {
    expect((await ask('11.1.0.10.in-addr.arpa', 'PTR')).answers).to.deep.equal(['web-1.vpc-1.internal']);
    const v6 = `2.1.0.0.${'0.'.repeat(20)}1.0.0.0.0.0.d.f.ip6.arpa`;
    expect((await ask(v6, 'PTR')).answers).to.deep.equal(['db.vpc-1.internal']);
    // Of an address of the VPC that nobody has, nobody outside is asked.
    expect(await ask('99.3.0.10.in-addr.arpa', 'PTR')).to.deep.include({ rcode: 'NXDOMAIN', authoritative: true, authorities: ['SOA'] });
    expect(internet.asked.filter((name) => name.endsWith('10.in-addr.arpa'))).to.deep.equal([]);
  });

  it('that have nothing of a type are there, and others are not, with how long that may be believed', async () => {
    const empty = { rcode: 'NOERROR', answers: [], authorities: ['SOA'] };
    expect(await ask('web-1.vpc-1.internal', 'AAAA')).to.deep.include(empty);
    expect(await ask('web-1.vpc-1.internal', 'MX')).to.deep.include(empty);
    expect(await ask('deep.vpc-1.internal', 'A')).to.deep.include(empty);
    expect(await ask('none.vpc-1.internal', 'A')).to.deep.include({ rcode: 'NXDOMAIN', answers: [], authorities: ['SOA'] });
    expect(internet.asked.filter((name) => name.endsWith('internal'))).to.deep.equal([]);
  });

  it('that are not of the VPC are asked of others, the next one when the first does not answer', async () => {
    // The other is this process, which on a busy machine may answer too late: then nobody has.
    const answered = (name: string, more = {}) =>
      eventually(
        () => ask(name, 'A', more),
        ({ rcode }) => rcode !== 'SERVFAIL',
      );
    for (const more of [{}, { edns: 1232 }, { transport: 'tcp' as const }])
      expect(await answered('www.example.org', more)).to.deep.include({ id: 4711, rcode: 'NOERROR', answers: ['192.0.2.80'] });
    expect((await answered('none.example.org')).rcode).to.equal('NXDOMAIN');
  });

  it('with more addresses than a packet takes are told over TCP', async () => {
    expect(await ask('many.vpc-1.internal', 'A')).to.deep.include({ truncated: true, answers: [] });
    expect((await ask('many.vpc-1.internal', 'A', { edns: 1232 })).answers).to.have.length(25);
    expect((await ask('many.vpc-1.internal', 'A', { transport: 'tcp' })).answers).to.have.length(25);
  });

  it('change with what is said, and stay while the agent and whoever commands it are away', async () => {
    await serve([...records.slice(1), { name: 'new.vpc-1.internal', addresses: ['10.0.1.20'] }]);
    await eventually(
      async () => (await ask('new.vpc-1.internal', 'A')).answers,
      ([first]) => first === '10.0.1.20',
    );
    expect((await ask('web-1.vpc-1.internal', 'A')).rcode).to.equal('NXDOMAIN');
    await agent.end();
    await agent.begin();
    await eventually(
      async () => (await ask('new.vpc-1.internal', 'A')).answers,
      ([first]) => first === '10.0.1.20',
    );
  });
});
