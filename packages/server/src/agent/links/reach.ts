import { connect } from 'node:net';
import type { Reach } from '@pileus/core/agent';
import type { Environment } from '@pileus/core/kernel';

const TIMEOUT_MS = 2_500;
const AT_ONCE = 16;
/** `host:port`; IPv6 in brackets. */
const TARGET = /^(?:\[([0-9A-Fa-f:.]+)\]|([\w.-]+)):([1-9]\d{0,4})$/;

export const isTarget = (text: string): boolean => TARGET.test(text) && Number(text.slice(text.lastIndexOf(':') + 1)) < 65_536;

/** Whether something takes connections there, as seen from this host. Nothing is sent. */
export async function reach(targets: readonly string[], timers: Environment['timers']): Promise<Reach> {
  const answers: Record<string, string> = {};
  const left = [...new Set(targets)];
  const work = async () => {
    for (let target = left.shift(); target !== undefined; target = left.shift()) answers[target] = await tried(target, timers);
  };
  await Promise.all(Array.from({ length: AT_ONCE }, work));
  return { answers };
}

function tried(target: string, timers: Environment['timers']): Promise<string> {
  const [, bracketed, plain, port] = TARGET.exec(target) ?? [];
  const { promise, resolve } = Promise.withResolvers<string>();
  const socket = connect({ host: bracketed ?? plain ?? '', port: Number(port) });
  const cancel = timers.after(TIMEOUT_MS, () => resolve('no answer'));
  socket.once('connect', () => resolve(''));
  socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? error.message));
  return promise.finally(() => {
    cancel();
    socket.destroy();
  });
}
