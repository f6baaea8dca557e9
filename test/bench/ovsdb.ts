import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { type OvnNorthbound, OvsdbClient, ovnNorthbound } from '../../packages/drivers-ovs/src/ovsdb/index.ts';
import { PrivateServer } from '../../packages/drivers-ovs/test/ovsdb/private-server.ts';
import { run } from '../../tools/system/command.ts';
import { type Bench, inFlight, median, percentile, type Row } from './harness.ts';

const { Logical_Switch, Logical_Switch_Port } = ovnNorthbound.tables;
const ROUNDS = 5;
const WARM_UP = 500;
/** Ports of a round: a transaction each, unless they are batched. */
const PORTS = 1_000;
const BATCH = 50;
const COMMANDS = 20;
const SNAPSHOT_ROWS = 20_000;

interface Measured {
  readonly tookMs: readonly number[];
  readonly seconds: number;
  readonly cpuMs: number;
}

/** Counts processor time and time of a round. */
async function timed(body: (took: (ms: number) => void) => Promise<void>): Promise<Measured> {
  const tookMs: number[] = [];
  const cpu = process.cpuUsage();
  const startedMs = performance.now();
  await body((ms) => tookMs.push(ms));
  const seconds = (performance.now() - startedMs) / 1_000;
  const { user, system } = process.cpuUsage(cpu);
  return { tookMs, seconds, cpuMs: (user + system) / 1_000 };
}

/** Creates a port and puts it into its switch, as compute does for each NIC. */
function addPort(switchId: string, index: number) {
  const port = randomUUID();
  return [
    Logical_Switch_Port.insert(
      { name: port, addresses: [`0a:00:00:00:00:01 10.0.${index >> 8}.${index & 255}`], external_ids: { owner: 'bench' } },
      port,
    ),
    Logical_Switch.mutate(switchId, { ports: { insert: [port] } }),
  ] as const;
}

/** The same over a bare socket: texts that were made before, written so many at a time, answers counted and never read. */
class RawSocket {
  readonly #socket: Socket;
  #answers = 0;
  #wake = (): void => {};

  private constructor(socket: Socket) {
    this.#socket = socket;
    socket.on('data', (chunk: Buffer) => {
      for (let at = chunk.indexOf('"error":null'); at >= 0; at = chunk.indexOf('"error":null', at + 12)) this.#answers += 1;
      this.#wake();
    });
  }

  static async open(path: string): Promise<RawSocket> {
    const socket = connect(path);
    await once(socket, 'connect');
    return new RawSocket(socket);
  }

  async send(texts: readonly string[], atOnce: number): Promise<void> {
    this.#answers = 0;
    for (let sent = 0; this.#answers < texts.length; ) {
      const room = Math.min(this.#answers + atOnce, texts.length);
      if (sent < room) this.#socket.write(texts.slice(sent, room).join(''));
      sent = room;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }

  close(): void {
    this.#socket.destroy();
  }
}

/** A server, our client and a bare socket. Each round has a switch of its own, and leaves nothing. */
class Ground implements AsyncDisposable {
  readonly #server: PrivateServer;
  readonly client: OvsdbClient<OvnNorthbound>;
  /** Parses whatever comes where it comes. */
  readonly inOneThread: OvsdbClient<OvnNorthbound>;
  readonly #raw: RawSocket;

  private constructor(server: PrivateServer, raw: RawSocket) {
    const options = { database: ovnNorthbound, remotes: [server.address] } as const;
    this.#server = server;
    this.client = new OvsdbClient(options);
    this.inOneThread = new OvsdbClient({ ...options, bigMessageBytes: Number.POSITIVE_INFINITY });
    this.#raw = raw;
  }

  static async lay(): Promise<Ground> {
    const server = await PrivateServer.start();
    const ground = new Ground(server, await RawSocket.open(server.socketPath));
    await Promise.all([ground.client.ready(), ground.inOneThread.ready()]);
    return ground;
  }

  async ours(count: number, atOnce: number, portsEach = 1): Promise<Measured> {
    await using place = await this.#place();
    // Awaited here: the switch goes when this returns.
    return await timed(async (took) => {
      await inFlight(atOnce, 0, count / portsEach, async (index) => {
        const startedMs = performance.now();
        await this.client.transact(Array.from({ length: portsEach }, (_, port) => addPort(place.id, index * portsEach + port)).flat());
        took(performance.now() - startedMs);
      });
    });
  }

  async bare(count: number, atOnce: number, portsEach = 1): Promise<Measured> {
    await using place = await this.#place();
    const texts = Array.from({ length: count / portsEach }, (_, id) => {
      const operations = Array.from({ length: portsEach }, (_, port) => addPort(place.id, id * portsEach + port)).flat();
      return JSON.stringify({ id, method: 'transact', params: ['OVN_Northbound', ...operations.map(({ json }) => json)] });
    });
    return await timed(() => this.#raw.send(texts, atOnce));
  }

  /** `ovn-nbctl`, a process for each port, as people do it. */
  async commands(count: number): Promise<Measured> {
    await using place = await this.#place();
    return await timed(async () => {
      for (let index = 0; index < count; index += 1)
        await run(['ovn-nbctl', `--db=unix:${this.#server.socketPath}`, 'lsp-add', place.id, randomUUID()]);
    });
  }

  async #place(): Promise<{ readonly id: string } & AsyncDisposable> {
    const id = randomUUID();
    await this.client.transact([Logical_Switch.insert({ name: id }, id)]);
    return { id, [Symbol.asyncDispose]: async () => void (await this.client.transact([Logical_Switch.delete(id)])) };
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#raw.close();
    await Promise.all([this.client.close(), this.inOneThread.close()]);
    await this.#server[Symbol.asyncDispose]();
  }
}

/** A row judged by its transactions a second; `cpuMs` is of one. */
async function pipelined(ground: Ground, id: string, atOnce: number, portsEach = 1): Promise<Row> {
  await ground.ours(WARM_UP, atOnce, portsEach);
  await ground.bare(WARM_UP, atOnce, portsEach);
  const pairs: { readonly ours: Measured; readonly floor: Measured }[] = [];
  for (let round = 0; round < ROUNDS; round += 1)
    pairs.push({ ours: await ground.ours(PORTS, atOnce, portsEach), floor: await ground.bare(PORTS, atOnce, portsEach) });
  const transactions = PORTS / portsEach;
  const value = median(pairs.map(({ ours }) => transactions / ours.seconds));
  const floor = median(pairs.map((pair) => transactions / pair.floor.seconds));
  const tookMs = pairs.flatMap(({ ours }) => ours.tookMs);
  const cpuMs = median(pairs.map(({ ours }) => ours.cpuMs / transactions));
  return { id, value, unit: 'transactions/s', cpuMs, p50: median(tookMs), p99: percentile(tookMs, 0.99), floor, ratio: value / floor };
}

/** Processor time of one transaction, ours over that of the bare socket. */
async function cost(ground: Ground): Promise<Row> {
  const ours: number[] = [];
  const floors: number[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    ours.push((await ground.ours(PORTS, BATCH)).cpuMs / PORTS);
    floors.push((await ground.bare(PORTS, BATCH)).cpuMs / PORTS);
  }
  const [value, floor] = [median(ours), median(floors)];
  return { id: 'ovsdb.cpu', value: value * 1_000, unit: 'µs', cpuMs: value, floor: floor * 1_000, ratio: value / floor };
}

async function besideCommands(ground: Ground): Promise<Row> {
  const ours = await ground.ours(PORTS, 1);
  const theirs = await ground.commands(COMMANDS);
  const [value, floor] = [PORTS / ours.seconds, COMMANDS / theirs.seconds];
  return { id: 'ovsdb.nbctl', value, unit: 'transactions/s', floor, ratio: value / floor };
}

/** How late the event loop is at most while a replica takes over a large database, and how late when it is parsed in the same thread. */
async function snapshot(ground: Ground): Promise<Row> {
  const { client } = ground;
  const switchId = randomUUID();
  await client.transact([Logical_Switch.insert({ name: 'big' }, switchId)]);
  for (let made = 0; made < SNAPSHOT_ROWS; made += 1_000)
    await client.transact(Array.from({ length: 1_000 }, (_, index) => addPort(switchId, made + index)).flat());
  const ours: Late[] = [];
  const floors: Late[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    ours.push(await latest(client));
    floors.push(await latest(ground.inOneThread));
  }
  const [value, floor] = [median(ours.map(({ lateMs }) => lateMs)), median(floors.map(({ lateMs }) => lateMs))];
  return { id: 'ovsdb.snapshot', value, unit: 'ms late', p50: median(ours.map(({ tookMs }) => tookMs)), floor, ratio: value / floor };
}

interface Late {
  readonly lateMs: number;
  readonly tookMs: number;
}

async function latest(client: OvsdbClient<OvnNorthbound>): Promise<Late> {
  const delay = monitorEventLoopDelay({ resolution: 1 });
  delay.enable();
  await sleep(20);
  const startedMs = performance.now();
  await using replica = client.replicate({ Logical_Switch_Port: true });
  await replica.ready();
  const tookMs = performance.now() - startedMs;
  await sleep(20);
  delay.disable();
  return { lateMs: delay.max / 1e6, tookMs };
}

export const ovsdbBench: Bench = {
  ids: ['ovsdb.1', 'ovsdb.50', 'ovsdb.50.batch', 'ovsdb.cpu', 'ovsdb.nbctl', 'ovsdb.snapshot'],
  async run(wants) {
    await using ground = await Ground.lay();
    const rows: Row[] = [];
    if (wants('ovsdb.1')) rows.push(await pipelined(ground, 'ovsdb.1', 1));
    if (wants('ovsdb.50')) rows.push(await pipelined(ground, 'ovsdb.50', 50));
    if (wants('ovsdb.50.batch')) rows.push(await pipelined(ground, 'ovsdb.50.batch', 4, BATCH));
    if (wants('ovsdb.cpu')) rows.push(await cost(ground));
    if (wants('ovsdb.nbctl')) rows.push(await besideCommands(ground));
    if (wants('ovsdb.snapshot')) rows.push(await snapshot(ground));
    return rows;
  },
};
