import type { AgentStatus } from '../../agent/index.ts';
import { change, describeChain, isCloudError, type RowOf, sleep } from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import type { CloudServices } from '../services.ts';
import { heartbeatSeconds, host } from '../topology/contract.ts';
import { agent } from './agent.ts';
import type { Agents } from './agents.ts';

type AgentRow = RowOf<typeof agent>;

const MISSES_MAX = 3;
const REASON_MAX = 512;
/** Of a heartbeat. */
const SPREAD = 0.1;
const ANSWER_MS_MAX = 10_000;

/** Asks each agent how it is, as often as its host is looked at. One that misses three times in a row is lost; one that answers is connected. */
export class AgentWatch {
  readonly #services: CloudServices;
  readonly #agents: Agents;
  readonly #watched = new Map<string, Promise<void>>();
  readonly #abort = new AbortController();
  #seen: (row: AgentRow, status: AgentStatus) => Promise<void> = async () => undefined;
  #started = false;

  constructor(services: CloudServices, agents: Agents) {
    this.#services = services;
    this.#agents = agents;
  }

  /** `seen` is told of each answer. */
  async start(seen: (row: AgentRow, status: AgentStatus) => Promise<void>): Promise<void> {
    this.#seen = seen;
    if (!this.#agents.isUsed) return;
    this.#started = true;
    for (const row of await this.#services.reader.list(agent)) this.add(row.id);
  }

  async stop(): Promise<void> {
    this.#abort.abort();
    await Promise.all(this.#watched.values());
  }

  /** Ends by itself when the row is deleted. */
  add(agentRowId: string): void {
    if (!this.#started || this.#abort.signal.aborted || this.#watched.has(agentRowId)) return;
    this.#watched.set(
      agentRowId,
      this.#loop(agentRowId).finally(() => this.#watched.delete(agentRowId)),
    );
  }

  async #loop(agentRowId: string): Promise<void> {
    const { environment, reader, settings } = this.#services;
    const { signal } = this.#abort;
    let misses = 0;
    while (!signal.aborted) {
      const row = await reader.find(agent, agentRowId);
      if (row === undefined || row.deletedAt !== undefined) return;
      const heartbeatMs = (await settings.at(heartbeatSeconds, host, row.hostId)) * 1000;
      if (row.state === 'available') {
        const call = { requestId: `heartbeat-${row.id}`, signal, timeoutMs: Math.min(ANSWER_MS_MAX, heartbeatMs) };
        misses = (await this.#beat(row, call, misses).catch((error) => this.#failed(row, error))) ?? misses;
      }
      const pauseMs = heartbeatMs * (1 - SPREAD + SPREAD * environment.random.next());
      await sleep(environment.timers, pauseMs, signal).catch(() => undefined);
    }
  }

  #failed(row: AgentRow, error: unknown): undefined {
    if (!this.#abort.signal.aborted)
      this.#services.environment.logger.error({ agentRowId: row.id, error: describeChain(error) }, 'look at an agent failed');
    return undefined;
  }

  /** Answers how many were missed in a row. */
  async #beat(row: AgentRow, call: Call, misses: number): Promise<number> {
    const { environment, kernel } = this.#services;
    try {
      const { agentId, release, version } = await this.#agents.hello(row, call);
      const status = await this.#agents.status(row, call);
      const fresh = { agentId, release, contractVersion: version, status: 'connected' as const };
      const differs = Object.entries(fresh).some(([field, value]) => row[field as keyof typeof fresh] !== value);
      if (differs) await kernel().observe([change(agent, row.id, { ...fresh, statusReason: null }, { generation: row.generation })]);
      await this.#seen(row, status);
      return 0;
    } catch (error) {
      if (call.signal.aborted) return misses;
      environment.logger.warn({ agentRowId: row.id, misses: misses + 1, error: describeChain(error) }, 'agent missed a look');
      if (misses + 1 >= MISSES_MAX && row.status !== 'lost') {
        // That an agent is silent tells nothing; that it tells what cannot be, does.
        const why = isCloudError(error) && error.code === 'internal' ? ` ${error.publicMessage}`.slice(0, REASON_MAX) : '';
        const statusReason = `It missed ${MISSES_MAX} looks in a row.${why}`;
        await kernel().observe([change(agent, row.id, { status: 'lost', statusReason }, { generation: row.generation })]);
      }
      return misses + 1;
    }
  }
}
