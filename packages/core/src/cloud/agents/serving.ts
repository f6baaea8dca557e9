import type { AgentCommand, AgentStatus } from '../../agent/index.ts';
import { describeChain, type Json, Lane, type RowOf, type Statement } from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import { instance } from '../compute/contract.ts';
import { dnsRecord, namesakesOf, network, nic, peering, subnet, vpc } from '../network/contract.ts';
import type { CloudServices } from '../services.ts';
import { HEARTBEATS_PER_LOOK, removalAllowed } from '../topology/contract.ts';
import { agent } from './agent.ts';
import type { Agents } from './agents.ts';
import { desiredOn, namesOf } from './served.ts';

type AgentRow = RowOf<typeof agent>;

/** Commits within it are one change. */
const GATHER_MS = 50;
const TIMEOUT_MS = 60_000;
const COMMANDS_AT_ONCE = 8;
/** The names of a VPC are put together again after it, also when nothing is known to have changed. */
const NAMES_MS = 300_000;
const RELEVANT: ReadonlySet<string> = new Set([instance, nic, network, subnet, vpc, dnsRecord, peering].map(({ name }) => name));

/** What an agent was told, as far as this life knows. */
interface Held {
  /** By what it is about: what was said last, in one word. */
  readonly told: Map<string, string>;
  agentId: string;
  untilLook: number;
  /** Changes of an agent are told one after the other. */
  last: Promise<void>;
}

/**
 * Has agents serve what the rows say: told as soon as something is committed, and compared with what they serve, all of it, as often as hosts are looked at. It
 * changes no row and no operation waits for it: a guest asks again for its metadata until it gets it.
 */
export class Serving {
  readonly #services: CloudServices;
  readonly #agents: Agents;
  readonly #held = new Map<string, Held>();
  readonly #abort = new AbortController();
  /** Of VPCs, made once for all agents, until something of them changes. */
  readonly #names = new Map<string, { readonly atMs: number; readonly command: Promise<AgentCommand> }>();
  #touched: { readonly table: string; readonly key: string }[] = [];
  #gathering: (() => void) | undefined;
  #stopHearing = () => {};

  constructor(services: CloudServices, agents: Agents) {
    this.#services = services;
    this.#agents = agents;
  }

  start(): void {
    if (!this.#agents.isUsed) return;
    this.#stopHearing = this.#services.kernel().onOutcome((statements, ok) => ok && this.#heed(statements));
  }

  async stop(): Promise<void> {
    this.#stopHearing();
    this.#abort.abort();
    this.#gathering?.();
    await Promise.all([...this.#held.values()].map(({ last }) => last));
  }

  /** An agent has answered. */
  async seen(row: AgentRow, { agentId, served }: AgentStatus): Promise<void> {
    const held = this.#of(row.id);
    held.untilLook -= 1;
    if (held.agentId === agentId && held.untilLook > 0) return;
    // What another journal was told is nothing that this one knows.
    if (held.agentId !== agentId) held.told.clear();
    held.agentId = agentId;
    held.untilLook = HEARTBEATS_PER_LOOK;
    const there = Object.entries(served ?? {}).flatMap(([sort, ids]) => ids.map((id) => `${sort}/${id}`));
    for (const about of held.told.keys()) if (!there.includes(about)) held.told.delete(about);
    this.#do(row, held, async () => this.#tellAll(row, held, there));
  }

  #of(agentRowId: string): Held {
    const known = this.#held.get(agentRowId) ?? { told: new Map(), agentId: '', untilLook: 0, last: Promise.resolve() };
    this.#held.set(agentRowId, known);
    return known;
  }

  #heed(statements: readonly Statement[]): void {
    for (const statement of statements) {
      if (statement.op !== 'insert' && statement.op !== 'update') continue;
      if (RELEVANT.has(statement.table))
        this.#touched.push({ table: statement.table, key: statement.op === 'insert' ? String(statement.row.id) : statement.key });
    }
    if (this.#held.size === 0) this.#touched = [];
    if (this.#touched.length > 0) this.#gathering ??= this.#services.environment.timers.after(GATHER_MS, () => void this.#round());
  }

  async #round(): Promise<void> {
    this.#gathering = undefined;
    const touched = this.#touched;
    this.#touched = [];
    try {
      const { hostIds, networkIds, vpcIds } = await this.#affected(touched);
      for (const vpcId of vpcIds) this.#names.delete(vpcId);
      for (const row of await this.#services.reader.list(agent)) {
        const held = this.#held.get(row.id);
        if (held === undefined || row.status !== 'connected' || this.#abort.signal.aborted) continue;
        const isAffected = hostIds.has(row.hostId) || networkIds.some((id) => held.told.has(`networks/${id}`));
        if (isAffected) this.#do(row, held, () => this.#tellAll(row, held, [...held.told.keys()]));
        else for (const vpcId of vpcIds) if (held.told.has(`names/${vpcId}`)) this.#do(row, held, () => this.#tellNames(row, held, vpcId));
      }
    } catch (error) {
      // What has changed is not known any more.
      this.#names.clear();
      for (const held of this.#held.values()) held.untilLook = 0;
      this.#services.environment.logger.warn({ error: describeChain(error) }, 'what agents serve was not compared');
    }
  }

  async #affected(touched: readonly { readonly table: string; readonly key: string }[]) {
    const { reader } = this.#services;
    const [hostIds, vpcIds] = [new Set<string>(), new Set<string>()];
    const networkIds: string[] = [];
    const addNetwork = async (networkId: string) => {
      const vpcId = (await reader.find(network, networkId))?.vpcId;
      if (vpcId !== undefined) vpcIds.add(vpcId);
    };
    const addMachine = async (instanceId: string) => {
      const hostId = (await reader.find(instance, instanceId))?.hostId;
      if (hostId !== undefined) hostIds.add(hostId);
    };
    for (const { table, key } of touched) {
      if (table === instance.name) await addMachine(key);
      if (table === vpc.name) vpcIds.add(key);
      if (table === network.name) {
        networkIds.push(key);
        await addNetwork(key);
      }
      if (table === subnet.name) {
        const row = await reader.find(subnet, key);
        if (row !== undefined) {
          networkIds.push(row.networkId);
          await addNetwork(row.networkId);
        }
      }
      if (table === dnsRecord.name) {
        const row = await reader.find(dnsRecord, key);
        if (row !== undefined) vpcIds.add(row.vpcId);
      }
      if (table === peering.name) {
        const row = await reader.find(peering, key);
        if (row !== undefined) vpcIds.add(row.vpcId).add(row.peerVpcId);
      }
      if (table === nic.name) {
        const row = await reader.find(nic, key);
        if (row === undefined) continue;
        await addMachine(row.instanceId);
        await addNetwork(row.networkId);
      }
    }
    // Their names are found from others, too.
    for (const vpcId of [...vpcIds]) for (const { id } of await namesakesOf(reader, vpcId)) vpcIds.add(id);
    return { hostIds, networkIds, vpcIds };
  }

  #do(row: AgentRow, held: Held, body: () => Promise<void>): void {
    held.last = held.last.then(async () => {
      if (this.#abort.signal.aborted) return;
      await body().catch((error) => {
        // The next heartbeat begins from what is served then.
        held.untilLook = 0;
        if (!this.#abort.signal.aborted)
          this.#services.environment.logger.warn(
            { agentRowId: row.id, error: describeChain(error) },
            'an agent was not told what to serve',
          );
      });
    });
  }

  /** What is to be there is; of what is there beside it, what was withdrawn goes. */
  async #tellAll(row: AgentRow, held: Held, there: readonly string[]): Promise<void> {
    const { commands, vpcIds, unknown } = await desiredOn(this.#services, row.hostId);
    const desired = new Map(commands);
    for (const vpcId of vpcIds) desired.set(`names/${vpcId}`, await this.#namesOf(vpcId));
    const failures: unknown[] = [];
    // A network before the machines on it. One that cannot be served keeps no other from it.
    for (const sort of ['networks', 'machines', 'names']) {
      const lane = new Lane(COMMANDS_AT_ONCE);
      const of = [...desired].filter(([about]) => about.startsWith(`${sort}/`));
      const tell = ([about, command]: (typeof of)[number]) => this.#tell(row, held, about, command).catch((error) => failures.push(error));
      await Promise.all(of.map((one) => lane.run(async () => void (await tell(one)))));
    }
    const gone = there.filter((about) => !desired.has(about) && !unknown.has(about));
    if (gone.length > 0 && (await removalAllowed(this.#services)))
      for (const about of gone) await this.#withdraw(row, held, about).catch((error) => failures.push(error));
    if (failures.length > 0) throw failures[0];
  }

  async #tellNames(row: AgentRow, held: Held, vpcId: string): Promise<void> {
    await this.#tell(row, held, `names/${vpcId}`, await this.#namesOf(vpcId));
  }

  #namesOf(vpcId: string): Promise<AgentCommand> {
    const nowMs = this.#services.environment.clock.monotonicMs();
    const known = this.#names.get(vpcId);
    if (known !== undefined && nowMs - known.atMs < NAMES_MS) return known.command;
    const command = namesOf(this.#services.reader, vpcId).then((input) => ({ type: 'names.serve', input }) as const);
    this.#names.set(vpcId, { atMs: nowMs, command });
    command.catch(() => this.#names.delete(vpcId));
    return command;
  }

  async #tell(row: AgentRow, held: Held, about: string, command: AgentCommand): Promise<void> {
    const digest = this.#services.secrets.digest('agent-served', JSON.stringify(command as unknown as Json));
    if (held.told.get(about) === digest) return;
    await this.#run(row, command);
    held.told.set(about, digest);
  }

  async #withdraw(row: AgentRow, held: Held, about: string): Promise<void> {
    const [sort, id = ''] = about.split('/');
    if (sort === 'networks') await this.#run(row, { type: 'network.withdraw', input: { networkId: id } });
    if (sort === 'machines') await this.#run(row, { type: 'machine.withdraw', input: { instanceId: id } });
    if (sort === 'names') await this.#run(row, { type: 'names.withdraw', input: { vpcId: id } });
    held.told.delete(about);
  }

  async #run(row: AgentRow, command: AgentCommand): Promise<void> {
    const commandId = this.#services.ids.mint('command');
    const call: Call = { requestId: commandId, signal: this.#abort.signal, timeoutMs: TIMEOUT_MS };
    await this.#agents.run(row, commandId, command as never, call);
  }
}
