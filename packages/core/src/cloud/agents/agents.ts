import { timingSafeEqual } from 'node:crypto';
import {
  AGENT_STATUS,
  AGENT_VERSIONS,
  type AgentCommand,
  type AgentStatus,
  CALLBACK_HEADER,
  type Callback,
  COMMAND_RECORD,
  type CommandRecord,
  type CommandType,
  commonVersion,
  EPOCH_HEADER,
  HELLO,
  type Hello,
  type Outcome,
  REACH,
  REACH_MAX,
  type Reach,
  type ResultOf,
  TRACE_HEADER,
} from '../../agent/index.ts';
import {
  CloudError,
  compileInput,
  ERROR_CODES,
  type ErrorCode,
  type InputCheck,
  isCloudError,
  type KernelServices,
  tracedAway,
} from '../../kernel/index.ts';
import type { Call } from '../../strategy/index.ts';
import type { AgentAddress, AgentLink, AgentRequest } from './agent-link.ts';

/** What agents tell, by question. Fields that nobody here knows are overlooked. */
const ANSWERS = { hello: compileInput(HELLO), status: compileInput(AGENT_STATUS), reach: compileInput(REACH) };
const RECORD = compileInput(COMMAND_RECORD);
const PROOF = 'agent-outcome';
/** Of one exchange: agents answer at once, whatever the command takes. */
const ANSWER_MS = 10_000;
/** An outcome that was not told by then is asked for, less and less often: the agent may not reach us. */
const ASK_AGAIN_MS = 500;
const ASK_AGAIN_MS_MAX = 5_000;

/** The same step of the same operation is the same command, however often it is tried and by whom. */
export const commandIdOf = (operationId: string, step: string): string => `${operationId}.${step}`;

/** The agents as the cloud holds them: commands go out, outcomes come back, each once. */
export class Agents {
  readonly #services: KernelServices;
  readonly #link: AgentLink | undefined;
  /** Those who wait for an outcome, by command. */
  readonly #waiting = new Map<string, (outcome: Outcome) => void>();

  constructor(services: KernelServices, link: AgentLink | undefined) {
    this.#services = services;
    this.#link = link;
  }

  get isUsed(): boolean {
    return this.#link !== undefined;
  }

  /** @throws CloudError unsupported when this cloud has no identity to show to agents */
  get link(): AgentLink {
    if (this.#link !== undefined) return this.#link;
    throw new CloudError('unsupported', 'This cloud has no certificate to show to agents: see `agents` in its configuration.');
  }

  /** Who answers there, and the version to speak with him. @throws CloudError unavailable, unsupported */
  async hello(agent: AgentAddress, call: Call): Promise<Hello & { readonly version: number }> {
    const hello = await this.#look<Hello>(agent, 'hello', '/', call);
    const version = commonVersion(hello.versions);
    if (version === undefined)
      throw new CloudError('unsupported', 'The agent speaks no version of the contract that this server speaks.', {
        params: { theirs: [...hello.versions], ours: [...AGENT_VERSIONS] },
      });
    return { ...hello, version };
  }

  status(agent: AgentAddress, call: Call): Promise<AgentStatus> {
    return this.#look<AgentStatus>(agent, 'status', '/v1/status', call);
  }

  /** Whether places, `host:port`, take connections from its host. By place: an empty text, or why not. @throws CloudError not_found: its release does not tell */
  async reach(agent: AgentAddress, places: readonly string[], call: Call): Promise<Reach['answers']> {
    const answers: Record<string, string> = {};
    for (let at = 0; at < places.length; at += REACH_MAX) {
      const asked = new URLSearchParams(places.slice(at, at + REACH_MAX).map((place): [string, string] => ['to', place]));
      Object.assign(answers, (await this.#look<Reach>(agent, 'reach', `/v1/reach?${asked}`, call)).answers);
    }
    return answers;
  }

  /** @throws CloudError internal, which names the field that is not as the contract says */
  #look<T>(agent: AgentAddress, name: keyof typeof ANSWERS, path: string, call: Call): Promise<T> {
    return tracedAway(call.requestId, `agent.${name}`, { 'pileus.place': agent.url }, async (traceparent) => {
      const answer = await this.#ask<T>(agent, { method: 'GET', path, headers: traceHeaders(traceparent) }, call);
      refuseMalformed(ANSWERS[name], answer, { name, code: 'internal' });
      return answer;
    });
  }

  /**
   * An effect of a saga: has the agent do it, once for this id, and answers what came of it. Called again, after a crash too, it answers the same: what ran is
   * not run again, since the agent's journal knows it.
   * @throws CloudError what the agent said, for good; unavailable or timeout when it may be called again
   */
  run<T extends CommandType>(
    agent: AgentAddress,
    commandId: string,
    command: Extract<AgentCommand, { readonly type: T }>,
    call: Call,
  ): Promise<ResultOf<T>> {
    const attributes = { 'pileus.place': agent.url, 'pileus.command.id': commandId };
    return tracedAway(call.requestId, `agent.${command.type}`, attributes, (traceparent) =>
      this.#run(agent, commandId, command, { call, traced: traceHeaders(traceparent) }),
    );
  }

  async #run<T extends CommandType>(
    agent: AgentAddress,
    commandId: string,
    command: Extract<AgentCommand, { readonly type: T }>,
    { call, traced }: { readonly call: Call; readonly traced: Readonly<Record<string, string>> },
  ): Promise<ResultOf<T>> {
    const { environment, store, secrets } = this.#services;
    const endMs = environment.clock.monotonicMs() + call.timeoutMs;
    const told = Promise.withResolvers<Outcome>();
    this.#waiting.set(commandId, told.resolve);
    const path = `/v1/commands/${commandId}`;
    const proof = secrets.digest(PROOF, commandId);
    const headers = {
      [CALLBACK_HEADER]: `${this.link.callbackUrl}/v1/agent-outcomes/${commandId}/${proof}`,
      [EPOCH_HEADER]: `${store.incarnation}:${store.epoch}`,
      ...traced,
    };
    try {
      let record = await this.#record(agent, commandId, { method: 'PUT', path, headers, body: command }, call);
      for (let pauseMs = ASK_AGAIN_MS; record.outcome === undefined; pauseMs = Math.min(ASK_AGAIN_MS_MAX, 2 * pauseMs)) {
        const leftMs = endMs - environment.clock.monotonicMs();
        if (leftMs <= 0) throw new CloudError('timeout', 'The agent is still at it.');
        const outcome = await this.#within(told.promise, Math.min(pauseMs, leftMs), call.signal);
        if (outcome !== undefined) return resultOf(outcome) as ResultOf<T>;
        record = await this.#record(agent, commandId, { method: 'GET', path, headers: traced }, call);
      }
      return resultOf(record.outcome) as ResultOf<T>;
    } finally {
      this.#waiting.delete(commandId);
    }
  }

  /** @throws CloudError unavailable: it is malformed, or of another command. What became of the command is not known then, as if nothing had been answered, and it is asked for again */
  async #record(agent: AgentAddress, commandId: string, request: Omit<AgentRequest, 'signal'>, call: Call): Promise<CommandRecord> {
    const record = await this.#ask<CommandRecord>(agent, request, call);
    refuseMalformed(RECORD, record, { name: 'command', code: 'unavailable' });
    if (record.commandId !== commandId)
      throw new CloudError('unavailable', 'What the agent tells (command) is malformed: it is of another command.', {
        params: { field: '/commandId' },
      });
    return record;
  }

  /** An outcome was told. Who waits for it gets it; who will ask for it, after a restart perhaps, gets it from the agent, whose journal has it for long. */
  told({ commandId, outcome }: Pick<Callback, 'commandId' | 'outcome'>, proof: string): void {
    const expected = Buffer.from(this.#services.secrets.digest(PROOF, commandId));
    const given = Buffer.from(proof);
    if (given.length !== expected.length || !timingSafeEqual(given, expected))
      throw new CloudError('not_found', 'No such command was given from here.');
    this.#waiting.get(commandId)?.(outcome);
  }

  async #within<T>(promise: Promise<T>, timeoutMs: number, signal: AbortSignal): Promise<T | undefined> {
    signal.throwIfAborted();
    const { promise: late, resolve, reject } = Promise.withResolvers<undefined>();
    const cancel = this.#services.environment.timers.after(timeoutMs, () => resolve(undefined));
    const stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    try {
      return await Promise.race([promise, late]);
    } finally {
      cancel();
      signal.removeEventListener('abort', stop);
    }
  }

  async #ask<T>(agent: AgentAddress, request: Omit<AgentRequest, 'signal'>, call: Call): Promise<T> {
    const abort = new AbortController();
    const cancel = this.#services.environment.timers.after(Math.min(ANSWER_MS, call.timeoutMs), () =>
      abort.abort(new Error('no answer in time')),
    );
    const stop = () => abort.abort(call.signal.reason);
    if (call.signal.aborted) stop();
    call.signal.addEventListener('abort', stop, { once: true });
    try {
      const { status, json } = await this.link.ask(agent, { ...request, signal: abort.signal });
      if (status >= 200 && status < 300) return json as T;
      throw refusalOf(status, json);
    } catch (cause) {
      if (isCloudError(cause)) throw cause;
      throw new CloudError('unavailable', `The agent at ${agent.url} does not answer: ${cause instanceof Error ? cause.message : cause}.`, {
        cause,
      });
    } finally {
      cancel();
      call.signal.removeEventListener('abort', stop);
    }
  }
}

const traceHeaders = (traceparent: string | undefined): Readonly<Record<string, string>> =>
  traceparent === undefined ? {} : { [TRACE_HEADER]: traceparent };

const codeOf = (code: unknown): ErrorCode =>
  typeof code === 'string' && Object.hasOwn(ERROR_CODES, code) ? (code as ErrorCode) : 'internal';

/** Nothing of it is believed then. */
function refuseMalformed(check: InputCheck, answer: unknown, { name, code }: { readonly name: string; readonly code: ErrorCode }): void {
  try {
    check.assert(answer);
  } catch (error) {
    if (!isCloudError(error)) throw error;
    const params = { field: error.pointer ?? '' };
    throw new CloudError(code, `What the agent tells (${name}) is malformed: ${error.publicMessage}`, { params });
  }
}

function refusalOf(status: number, json: unknown): CloudError {
  const { code, detail } = (typeof json === 'object' && json !== null ? json : {}) as {
    readonly code?: unknown;
    readonly detail?: unknown;
  };
  // Which field of ours the agent does not like is nothing that a caller could mend.
  const known = codeOf(code);
  return new CloudError(known === 'invalid_input' ? 'internal' : known, `The agent refused: ${String(detail ?? `status ${status}`)}`);
}

function resultOf(outcome: Outcome): unknown {
  if (outcome.ok) return outcome.result;
  throw new CloudError(codeOf(outcome.error.code), `The agent could not do it: ${outcome.error.message}`);
}
