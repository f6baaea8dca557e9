import type { AgentCommand, AgentStatus, CommandRecord, HostLink, Outcome } from '../../src/agent/index.ts';
import type { AgentLink } from '../../src/cloud/index.ts';

type Sort = 'networks' | 'machines' | 'names';

interface SimAgent {
  /** Another life has another one. */
  agentId: string;
  readonly commands: Map<string, CommandRecord>;
  readonly served: { readonly [S in Sort]: Map<string, AgentCommand> };
  isAway: boolean;
  versions: readonly number[];
  /** Networks that it cannot serve, by id. */
  readonly cannot: Set<string>;
  /** What it tells of its host; undefined: its release does not. */
  links: readonly HostLink[] | undefined;
  /** Why it does not reach what is at a place, by the beginning of that; all else it does. Undefined: its release does not tell. */
  unreached: Map<string, string> | undefined;
}

const AT = '2026-01-01T00:00:00.000Z';

/** Agents that answer wherever they are asked, do at once what they are told, and know for ever what they did. They survive crashes of the control plane. */
export class SimAgents implements AgentLink {
  readonly callbackUrl = 'https://cloud.example.org';
  readonly #agents = new Map<string, SimAgent>();
  #lives = 0;

  /** Made when it is first asked for. */
  at(url: string): SimAgent {
    const known = this.#agents.get(url) ?? this.#new();
    this.#agents.set(url, known);
    return known;
  }

  /** It has forgotten everything. */
  reinstall(url: string): void {
    this.#agents.set(url, this.#new());
  }

  #new(): SimAgent {
    this.#lives += 1;
    const served = { networks: new Map(), machines: new Map(), names: new Map() };
    const own = { agentId: `agent-${this.#lives}`, commands: new Map(), served, isAway: false, versions: [1], cannot: new Set<string>() };
    return { ...own, links: [], unreached: new Map() };
  }

  async ask(
    { url }: { readonly url: string },
    { method, path, body }: { readonly method: string; readonly path: string; readonly body?: unknown },
  ) {
    const agent = this.at(url);
    if (agent.isAway) throw new Error('there is nobody');
    if (path === '/')
      return { status: 200, json: { product: 'pileus-agent', release: '0.0.0', agentId: agent.agentId, versions: agent.versions } };
    if (path === '/v1/status') return { status: 200, json: statusOf(agent) };
    if (path.startsWith('/v1/reach?')) return reachedBy(agent, new URLSearchParams(path.slice('/v1/reach?'.length)));
    const commandId = path.slice('/v1/commands/'.length);
    const known = agent.commands.get(commandId);
    if (known !== undefined) return { status: 200, json: known };
    if (method === 'GET') return { status: 404, json: { code: 'not_found', detail: 'No such command is known.' } };
    const command = body as AgentCommand;
    const { type } = command;
    const isFailing = command.type === 'network.serve' && agent.cannot.has(command.input.networkId);
    const outcome: Outcome = isFailing
      ? { ok: false, error: { code: 'unavailable', message: 'There is no bridge.' } }
      : { ok: true, result: doneBy(agent, command) };
    const record: CommandRecord = { commandId, type, state: 'done', acceptedAt: AT, attempts: 1, finishedAt: AT, outcome };
    agent.commands.set(commandId, record);
    return { status: 202, json: record };
  }
}

function reachedBy({ unreached }: SimAgent, asked: URLSearchParams) {
  if (unreached === undefined) return { status: 404, json: { code: 'not_found', detail: 'There is no such route.' } };
  const why = (place: string) => [...unreached].find(([beginning]) => place.startsWith(beginning))?.[1] ?? '';
  return { status: 200, json: { answers: Object.fromEntries(asked.getAll('to').map((place) => [place, why(place)])) } };
}

function doneBy({ served }: SimAgent, command: AgentCommand): object {
  switch (command.type) {
    case 'host.inspect':
      return { hostname: 'simulated', kernel: '6.0.0', programs: {} };
    case 'network.serve':
      served.networks.set(command.input.networkId, command);
      break;
    case 'network.withdraw':
      served.networks.delete(command.input.networkId);
      break;
    case 'machine.serve':
      served.machines.set(command.input.instanceId, command);
      break;
    case 'machine.withdraw':
      served.machines.delete(command.input.instanceId);
      break;
    case 'names.serve':
      served.names.set(command.input.vpcId, command);
      break;
    case 'names.withdraw':
      served.names.delete(command.input.vpcId);
      break;
  }
  return { applied: true };
}

const statusOf = ({ agentId, links, served: { networks, machines, names } }: SimAgent): AgentStatus => ({
  agentId,
  release: '0.0.0',
  startedAt: AT,
  commands: { queued: 0, running: 0, unacknowledged: 0 },
  commandTypes: ['host.inspect'],
  children: [],
  served: { networks: [...networks.keys()], machines: [...machines.keys()], names: [...names.keys()] },
  ...(links === undefined ? {} : { links: [...links] }),
});
