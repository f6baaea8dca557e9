import { createServer, type Server } from 'node:net';
import { resolve } from 'node:path';
import { type AgentStatus, COMMANDS, type HostLink } from '@pileus/core/agent';
import { type Environment, timestamp } from '@pileus/core/kernel';
import { exchange, type Identity, PinnedConnections } from '@pileus/core/node';
import { ConfigError, dependingOn } from '../config/load.ts';
import { readTls } from '../http/tls.ts';
import { makeDirectory } from '../make-directory.ts';
import { releaseOf } from '../release.ts';
import type { LoadedAgentConfig } from './config.ts';
import { isOpen, Journal } from './journal.ts';
import { Outbox, type PostOptions } from './outbox.ts';
import { type Handlers, Runner } from './runner.ts';
import { AgentServer } from './server.ts';
import { Supervisor } from './supervisor.ts';

export interface AgentOptions extends LoadedAgentConfig {
  readonly environment: Environment;
  readonly duties: (services: AgentServices) => Duties | Promise<Duties>;
}

export interface Duties {
  /** What its commands do. */
  readonly handlers: Handlers;
  readonly served?: () => NonNullable<AgentStatus['served']>;
  /** Of its host; undefined when they cannot be told. */
  readonly links?: () => readonly HostLink[] | undefined;
  close?(): Promise<void>;
}

/** What duties are made with. */
export interface AgentServices {
  readonly environment: Environment;
  readonly supervisor: Supervisor;
  /** Where it keeps what it has to keep. */
  readonly dataDir: string;
}

export interface Agent {
  /** Where it listens. */
  readonly address: string;
  readonly agentId: string;
  /** Rejects when it can promise nothing any more, and has to be ended. */
  readonly failed: Promise<never>;
  /** Breaks off what is under way, for the next start, and ends its children. */
  close(): Promise<void>;
}

const DAY_MS = 86_400_000;
const FORGET_EVERY_MS = 3_600_000;
const CALLBACK_TIMEOUT_MS = 10_000;

/** Puts an agent together, and starts it. */
export async function startAgent({ config, directory, environment, duties }: AgentOptions): Promise<Agent> {
  const dataDir = await dependingOn('dataDir', makeDirectory(resolve(directory, config.dataDir)));
  const stops: (() => Promise<unknown> | unknown)[] = [];
  const close = async () => {
    for (const stop of stops.splice(0).reverse()) await stop();
  };
  try {
    const identity = await readTls(config.identity, directory, 'identity');
    const claim = await claimed(dataDir);
    stops.push(() => new Promise((done) => claim.close(done)));
    const { keepDays, keepMax, openMax } = config.journal;
    const failed = Promise.withResolvers<never>();
    failed.promise.catch(() => undefined);
    const kept = { keepMs: keepDays * DAY_MS, keepMax };
    const journal = await Journal.open({ directory: dataDir, environment, failed: failed.reject, ...kept });
    stops.push(() => journal.close());
    const supervisor = new Supervisor({ directory: dataDir, environment });
    await supervisor.start();
    stops.push(() => supervisor.stop());
    const outbox = new Outbox({ journal, environment, post: posting(identity, config.controllers, environment) });
    stops.push(() => outbox.stop());
    const { handlers, served, links, close: end } = await duties({ environment, supervisor, dataDir });
    stops.push(async () => end?.());
    const runner = new Runner({ journal, handlers, environment, ended: (command) => outbox.add(command) });
    stops.push(() => runner.stop());
    const release = await releaseOf();
    const startedAt = timestamp(environment.clock);
    const server = new AgentServer({
      identity,
      controllers: config.controllers,
      journal,
      environment,
      release,
      openMax,
      accepted: (command) => runner.submit(command),
      redirected: (command) => outbox.add(command),
      heard: () => outbox.hurry(),
      status: () => ({
        ...{ agentId: journal.agentId, release, startedAt },
        commands: countsOf(journal),
        commandTypes: Object.keys(COMMANDS),
        children: [...supervisor.health()],
        ...(served === undefined ? {} : { served: served() }),
        ...linksIn(links?.()),
      }),
    });
    runner.resume();
    outbox.resume();
    stops.push(() => server.close());
    await dependingOn('listen.host', server.listen(config.listen.host, config.listen.port));
    stops.push(forgetting(journal, environment));
    environment.logger.info({ address: server.address, agentId: journal.agentId }, 'listening');
    return { address: server.address, agentId: journal.agentId, failed: failed.promise, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** The directory is this agent's for as long as it lives: the operating system lets go of the name with the process, however that ends. */
async function claimed(dataDir: string): Promise<Server> {
  const server = createServer();
  const { promise, resolve: listening, reject } = Promise.withResolvers<void>();
  server.once('error', (cause: NodeJS.ErrnoException) =>
    reject(
      cause.code === 'EADDRINUSE'
        ? new ConfigError(`${dataDir} is used by another agent; only one may use it at a time`, { cause })
        : cause,
    ),
  );
  server.listen({ path: `\0pileus-agent:${dataDir}` }, listening);
  await promise;
  return server;
}

function posting(identity: Identity, controllers: readonly string[], { timers }: Environment) {
  const connections = new PinnedConnections(identity, controllers);
  return async (url: string, body: object, { headers, signal }: PostOptions): Promise<number> => {
    const late = new AbortController();
    const cancel = timers.after(CALLBACK_TIMEOUT_MS, () => late.abort(new Error('no answer in time')));
    const stop = () => late.abort(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    try {
      return (await exchange(connections, { url, method: 'POST', headers, body, signal: late.signal })).status;
    } finally {
      cancel();
      signal.removeEventListener('abort', stop);
    }
  };
}

function forgetting(journal: Journal, { timers }: Environment): () => void {
  let cancel = () => {};
  const next = () => {
    cancel = timers.after(FORGET_EVERY_MS, () => void journal.forget().finally(next));
  };
  next();
  return () => cancel();
}

const linksIn = (links: readonly HostLink[] | undefined): Pick<AgentStatus, 'links'> => (links === undefined ? {} : { links: [...links] });

function countsOf(journal: Journal): Required<AgentStatus['commands']> {
  const counts = { queued: 0, running: 0, unacknowledged: 0, refused: 0 };
  for (const command of journal.all())
    if (command.state !== 'done') counts[command.state] += 1;
    else if (command.refusedAt !== undefined) counts.refused += 1;
    else if (isOpen(command)) counts.unacknowledged += 1;
  return counts;
}
