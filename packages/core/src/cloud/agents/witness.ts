import type { AgentStatus, HostLink } from '../../agent/index.ts';
import { equals, isCloudError, type RowOf } from '../../kernel/index.ts';
import type { CloudServices } from '../services.ts';
import type { ToldLinks, ToldReach } from '../topology/contract.ts';
import { agent } from './agent.ts';
import type { Agents } from './agents.ts';

type AgentRow = RowOf<typeof agent>;

const CALL_TIMEOUT_MS = 10_000;

/** What agents see of their hosts that nobody else can. It is asked of those alone that answer; of the others nothing is said. */
export class Witness {
  readonly #services: Pick<CloudServices, 'reader'>;
  readonly #agents: Agents;
  /** By host, since this life began. */
  readonly #links = new Map<string, readonly HostLink[] | undefined>();

  constructor(services: Pick<CloudServices, 'reader'>, agents: Agents) {
    this.#services = services;
    this.#agents = agents;
  }

  /** An agent has answered. */
  seen({ hostId }: AgentRow, { links }: AgentStatus): void {
    this.#links.set(hostId, links);
  }

  async links(hostId: string): Promise<ToldLinks> {
    const row = await this.#of(hostId);
    if (row === undefined || row.status === 'lost') {
      this.#links.delete(hostId);
      return undefined;
    }
    return this.#links.has(hostId) ? this.#links.get(hostId) : 'pending';
  }

  async reach(hostId: string, places: readonly string[], signal: AbortSignal): Promise<ToldReach> {
    const row = await this.#of(hostId);
    if (row === undefined) return undefined;
    if (row.status !== 'connected') return 'away';
    try {
      return await this.#agents.reach(row, places, { requestId: `reach-${hostId}`, signal, timeoutMs: CALL_TIMEOUT_MS });
    } catch (error) {
      if (!isCloudError(error)) throw error;
      // An older one does not know the question.
      return error.code === 'not_found' ? undefined : 'away';
    }
  }

  async #of(hostId: string): Promise<AgentRow | undefined> {
    const [row] = this.#agents.isUsed ? await this.#services.reader.list(agent, equals('hostId', hostId), { limit: 1 }) : [];
    return row?.state === 'available' ? row : undefined;
  }
}
