/**
 * The process of one connection: it is told by its standard input how to connect and what to do, and answers on its standard output (see ../messages.ts).
 * It ends when its input ends, that is with its owner, however that ended.
 */
import type { CallName } from '../calls.ts';
import type { FailureBody } from '../errors.ts';
import { encodeFrame, FrameReader } from '../frames.ts';
import type { CallMessage, ConnectMessage, OwnerMessage, ProcessMessage } from '../messages.ts';

import { MissingFunction, NativeFailure, PoolAbsent } from './failures.ts';

/** What runs may end within this time when the owner goes. */
const END_MS = 5_000;
const DISCONNECT_MS = 3_000;
const ELIBACC = 79;
const EIO = 5;
/** A share that grew by less is not told. */
const PROGRESS_STEP = 0.01;

/** What needs the native libraries; undefined until connected. */
interface Worker {
  handle(message: CallMessage): Promise<void>;
  end(): Promise<void>;
}

let worker: Worker | undefined;
const running = new Set<Promise<void>>();

function say(message: ProcessMessage): void {
  for (const part of encodeFrame(message)) process.stdout.write(part);
}

async function connect(message: ConnectMessage): Promise<void> {
  try {
    const started = await startWorker(message);
    worker = started.worker;
    say({ type: 'ready', addresses: started.addresses });
  } catch (error) {
    say({ type: 'refused', failure: failureOf('connect', error, ELIBACC) });
  }
}

/** The libraries are loaded here and not before: that they are missing is an answer. */
async function startWorker(connecting: ConnectMessage): Promise<{ readonly worker: Worker; readonly addresses: readonly string[] }> {
  const [{ HANDLERS }, { OpenImages }, { Session }, { Creation }] = await Promise.all([
    import('./handlers.ts'),
    import('./open-images.ts'),
    import('./session.ts'),
    import('./creation.ts'),
  ]);
  const session = await Session.connect(connecting);
  const connected = { session, images: new OpenImages(session), creation: new Creation(session) };
  // A name with its own arguments: both ends are checked against `Calls`.
  const handlers = HANDLERS as unknown as Readonly<
    Record<CallName, (on: typeof connected, args: object, progress: ((fraction: number) => void) | undefined) => Promise<unknown>>
  >;
  const worker: Worker = {
    async handle({ id, name, args, tells }) {
      let told = 0;
      const progress = (fraction: number) => {
        if (fraction < told + PROGRESS_STEP) return;
        told = fraction;
        say({ type: 'progress', id, fraction });
      };
      try {
        say({ type: 'result', id, result: await handlers[name](connected, args, tells ? progress : undefined) });
      } catch (error) {
        if (error instanceof MissingFunction) say({ type: 'unsupported', id, what: error.message });
        else say({ type: 'failure', id, failure: failureOf(name, error, EIO) });
      }
    },
    async end() {
      await connected.images.closeAll();
      await session.disconnect();
    },
  };
  return { worker, addresses: (await session.info()).addresses };
}

function failureOf(call: string, error: unknown, otherwise: number): FailureBody {
  const message = error instanceof Error ? error.message : String(error);
  if (!(error instanceof NativeFailure)) return { call, errno: otherwise, message };
  const { errno, watchers } = error;
  return {
    call,
    errno,
    message,
    ...(watchers === undefined ? {} : { watchers }),
    ...(error instanceof PoolAbsent ? { lacksPool: true } : {}),
  };
}

/** By a signal and not by `exit`: that would wait for threads that wait for the cluster. */
const leave = (): boolean => process.kill(process.pid, 'SIGKILL');

let isEnding = false;
async function end(): Promise<void> {
  if (isEnding) return;
  isEnding = true;
  setTimeout(leave, END_MS + DISCONNECT_MS);
  await Promise.race([Promise.allSettled(running), new Promise((resolve) => setTimeout(resolve, END_MS))]);
  await worker?.end();
  leave();
}

function hear(message: OwnerMessage): void {
  if (message.type === 'connect') void connect(message);
  else if (message.type === 'end') void end();
  else if (worker !== undefined) {
    const work = worker.handle(message).finally(() => running.delete(work));
    running.add(work);
  }
}

// Signals of the terminal are the owner's: it says when this ends.
for (const signal of ['SIGINT', 'SIGHUP'] as const) process.on(signal, () => undefined);
const reader = new FrameReader();
process.stdin.on('data', (chunk: Buffer) => reader.push(chunk, (message) => hear(message as OwnerMessage)));
process.stdin.on('end', () => void end());
process.stdin.on('error', () => void end());
process.stdout.on('error', () => void end());
