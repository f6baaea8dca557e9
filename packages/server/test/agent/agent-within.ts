import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fingerprintOf, type Identity, nodeEnvironment } from '@pileus/core/node';
import { freePort } from '../../../../tools/system/free-port.ts';
import { selfSigned } from '../../../drivers-kvm/test/self-signed.ts';
import { type Agent, startAgent } from '../../src/agent/agent.ts';
import { loadAgentConfig } from '../../src/agent/config.ts';

/** An agent in the process of the test, so that its spans are seen. `host.inspect` ends when the agent is open. */
export class AgentWithin {
  readonly directory: string;
  readonly url: string;
  readonly fingerprint: string;
  readonly controller: Identity;
  /** How often `host.inspect` was begun. */
  runs = 0;
  readonly #opened = Promise.withResolvers<void>();
  #agent: Agent | undefined;

  private constructor(made: Pick<AgentWithin, 'directory' | 'url' | 'fingerprint' | 'controller'>) {
    this.directory = made.directory;
    this.url = made.url;
    this.fingerprint = made.fingerprint;
    this.controller = made.controller;
  }

  static async start(): Promise<AgentWithin> {
    const directory = await mkdtemp(join(tmpdir(), 'pileus-agent-'));
    const [identity, controller, port] = await Promise.all([selfSigned(), selfSigned(), freePort()]);
    await writeFile(join(directory, 'cert.pem'), identity.cert);
    await writeFile(join(directory, 'key.pem'), identity.key);
    const config = {
      listen: { port },
      identity: { certFile: 'cert.pem', keyFile: 'key.pem' },
      controllers: [fingerprintOf(controller.cert)],
      dataDir: 'data',
    };
    await writeFile(join(directory, 'agent.json'), JSON.stringify(config));
    const url = `https://127.0.0.1:${port}`;
    const agent = new AgentWithin({ directory, url, fingerprint: fingerprintOf(identity.cert), controller });
    await agent.#begin();
    return agent;
  }

  open(): void {
    this.#opened.resolve();
  }

  /** What is under way is broken off, and begun again from the journal. */
  async restart(): Promise<void> {
    await this.#agent?.close();
    await this.#begin();
  }

  async close(): Promise<void> {
    await this.#agent?.close();
    await rm(this.directory, { recursive: true });
  }

  async #begin(): Promise<void> {
    const unknown = { subject: () => '', run: async () => ({ applied: false }) };
    const inspect = {
      subject: () => 'host',
      run: async (_input: unknown, { signal }: { readonly signal: AbortSignal }) => {
        this.runs += 1;
        const stopped = Promise.withResolvers<never>();
        signal.addEventListener('abort', () => stopped.reject(signal.reason), { once: true });
        await Promise.race([this.#opened.promise, stopped.promise]);
        return { hostname: 'within', kernel: '6', programs: {} };
      },
    };
    this.#agent = await startAgent({
      ...(await loadAgentConfig(join(this.directory, 'agent.json'))),
      environment: nodeEnvironment(),
      duties: () => ({
        handlers: {
          'host.inspect': inspect,
          ...{ 'network.serve': unknown, 'network.withdraw': unknown, 'machine.serve': unknown, 'machine.withdraw': unknown },
          ...{ 'names.serve': unknown, 'names.withdraw': unknown },
        },
      }),
    });
  }
}
