import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { median, percentile, type Row } from './harness.ts';
import type { BenchServer } from './server.ts';

const FLOOD = fileURLToPath(new URL('./flood-child.ts', import.meta.url));

/** A tenant that asks as much as he can, in a process of his own. */
export class Flood {
  readonly #child: ChildProcess;

  constructor(url: string, key: string, kind: string, connections: number) {
    this.#child = fork(FLOOD, [url, key, kind, String(connections)], { execArgv: process.execArgv });
  }

  /** Answers how often it was answered. */
  async stop(): Promise<number> {
    const told = once(this.#child, 'message');
    const ended = once(this.#child, 'exit');
    this.#child.kill('SIGTERM');
    const [{ answered }] = (await told) as [{ answered: number }];
    await ended;
    return answered;
  }
}

export const told = (waits: readonly number[]): string =>
  `p50 ${median(waits).toFixed(2)} ms, p99 ${percentile(waits, 0.99).toFixed(2)} ms`;

export function waitRow(id: string, beside: readonly number[], alone: readonly number[]): Row {
  const [value, floor] = [percentile(beside, 0.99), percentile(alone, 0.99)];
  return { id, value, unit: 'ms p99', p50: median(beside), p99: value, floor, ratio: value / floor };
}

/** An account with a project, and a session of its administrator. */
export async function tenant({ client }: BenchServer, name: string): Promise<string> {
  const accountId = await client.done('POST', '/v1/accounts', { name });
  const { items } = JSON.parse((await client.ask('GET', `/v1/projects?allProjects=true&accountId=${accountId}`)).text);
  const inProject = { 'x-pileus-project': items[0].id as string };
  const done = async (path: string, body: object) => {
    const answer = await client.ask('POST', path, JSON.stringify(body), { prefer: 'wait=60', ...inProject });
    if (answer.status !== 200) throw new Error(`${path}: ${answer.status} ${answer.text}`);
    return JSON.parse(answer.text) as { readonly resourceId: string; readonly token: string };
  };
  const password = `the password of ${name}`;
  const { resourceId: userId } = await done('/v1/users', { name: 'admin' });
  await done(`/v1/users/${userId}/password`, { password });
  await done('/v1/role-bindings', { userId, role: 'accountAdmin', level: 'account' });
  return (await done('/v1/sessions', { account: name, user: 'admin', password })).token;
}
