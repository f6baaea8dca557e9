import { setTimeout as sleep } from 'node:timers/promises';
import { type Cloud, openSocket } from '@pileus/sdk';
import type { Toured } from './tour.ts';

/** An emulated guest on a busy machine takes its time. */
const BOOT_TIMEOUT_MS = 180_000;
const ASK_TIMEOUT_MS = 10_000;
const PAUSE_MS = 100;

/** Reads the machine's serial console over the API's WebSocket until the guest has said the marker; answers the marker's line. `typed` is typed before. */
export async function untilConsoleSays(cloud: Cloud, instanceId: string, marker: RegExp, signal: AbortSignal, typed = ''): Promise<string> {
  const socket = openSocket(await cloud.instances.openConsole(instanceId, 'serial'), WebSocket);
  socket.binaryType = 'arraybuffer';
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let said = '';
  const inTime = AbortSignal.any([signal, AbortSignal.timeout(BOOT_TIMEOUT_MS)]);
  inTime.addEventListener('abort', () => reject(new Error(`the guest has not said ${marker} yet; it said: ${said.slice(-500)}`)));
  socket.addEventListener('open', () => socket.send(new TextEncoder().encode(typed)));
  socket.addEventListener('message', ({ data }) => {
    said += typeof data === 'string' ? data : Buffer.from(data as ArrayBuffer).toString('latin1');
    const line = marker.exec(said)?.[0];
    if (line !== undefined) resolve(line);
  });
  socket.addEventListener('close', ({ code, reason }) =>
    reject(new Error(`the console was closed (${code}${reason === '' ? '' : `: ${reason}`}); the guest said: ${said.slice(-500)}`)),
  );
  try {
    return await promise;
  } finally {
    socket.close();
  }
}

/** What the guest answers to GET / on its address: what it sees of itself. */
export async function askGuest({ instance, nic, volume }: Toured, signal: AbortSignal): Promise<unknown> {
  const answer = (await getJson(`http://${nic.address}/`, signal)) as { readonly instanceId?: string };
  if (answer.instanceId !== instance.id)
    throw new Error(`another machine than ${instance.id} answers at ${nic.address}: ${JSON.stringify(answer)}`);
  if (!bytesSeen(answer).includes(volume.sizeBytes))
    throw new Error(`the guest does not see its volume of ${volume.sizeBytes} bytes: ${JSON.stringify(answer)}`);
  return answer;
}

/** The sizes of the disks that a guest sees, by its answer. */
export function bytesSeen(answer: unknown): readonly number[] {
  const { disks = [] } = answer as { readonly disks?: readonly { readonly sizeBytes: number }[] };
  return disks.map(({ sizeBytes }) => sizeBytes);
}

/** What a guest answers, once it does. */
export async function getJson(url: string, signal: AbortSignal): Promise<unknown> {
  return JSON.parse(await getText(url, signal));
}

export async function getText(url: string, signal: AbortSignal): Promise<string> {
  const deadline = performance.now() + BOOT_TIMEOUT_MS;
  for (;;) {
    signal.throwIfAborted();
    try {
      const response = await fetch(url, { signal: AbortSignal.any([signal, AbortSignal.timeout(ASK_TIMEOUT_MS)]) });
      return await response.text();
    } catch (cause) {
      if (performance.now() > deadline) throw new Error(`${url} does not answer`, { cause });
      await sleep(PAUSE_MS, undefined, { signal });
    }
  }
}
