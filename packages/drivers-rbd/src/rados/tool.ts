import { type ChildProcessByStdio, spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { type FileHandle, open, unlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import type { CallOptions } from './calls.ts';
import { AbortedError, TimeoutError } from './errors.ts';
import type { Credentials } from './messages.ts';

/** A program did not do what it was started for; the message has its own words. */
export class ToolError extends Error {
  override readonly name = 'ToolError';
  readonly tool: string;

  constructor(tool: string, words: string, options?: ErrorOptions) {
    super(`${tool}: ${words}`, options);
    this.tool = tool;
  }
}

/** Where a program finds the file that it is given the connection by. */
export const CONF_PATH = '/dev/fd/3';
/** And the one with the passphrase of a disk. */
export const PASSPHRASE_PATH = '/dev/fd/4';
const WORDS_MAX = 2_000;

/**
 * How programs of Ceph and QEMU connect: a configuration that is no file any more when they read it. It has a name for as long as it takes to open it, and
 * nobody else may read it; what is left of it ends with the last process that holds it.
 */
export function openConf({ monitors, user, key }: Credentials): Promise<FileHandle> {
  const settings = ['[global]', `mon_host = ${monitors}`, 'log_file =', 'admin_socket =', `[client.${user}]`, `key = ${key}`, ''];
  return openHidden(settings.join('\n'));
}

/** The same for anything else that is for a program alone. */
export async function openHidden(text: string): Promise<FileHandle> {
  const path = join(tmpdir(), `.pileus-${randomUUID()}`);
  const file = await open(path, 'wx+', 0o600);
  await unlink(path);
  await file.write(text, 0);
  return file;
}

export interface ToolOptions extends CallOptions {
  readonly timeoutMs: number;
  readonly conf?: FileHandle;
  /** With `conf` only. */
  readonly passphrase?: FileHandle;
  readonly onOutput?: (text: string) => void;
}

/** Runs a program to its end; answers what it printed. Cut short it is killed, and gone when this rejects. @throws ToolError */
export async function runTool(
  tool: string,
  args: readonly string[],
  { conf, passphrase, signal, timeoutMs, onOutput }: ToolOptions,
): Promise<string> {
  if (signal?.aborted) throw new AbortedError(tool, 'not_sent', { cause: signal.reason });
  const child = spawn(tool, args, {
    stdio: ['ignore', 'pipe', 'pipe', ...[conf, passphrase].flatMap((file) => (file === undefined ? [] : [file.fd]))],
    env: { PATH: process.env.PATH, LC_ALL: 'C.UTF-8' },
  }) as ChildProcessByStdio<null, Readable, Readable>;
  let cut: Error | undefined;
  const end = (why: Error): void => {
    cut ??= why;
    child.kill('SIGKILL');
  };
  const timer = setTimeout(() => end(new TimeoutError(`${tool}: no end in ${timeoutMs} ms`, 'unknown')), timeoutMs);
  const onAbort = (): void => end(new AbortedError(tool, 'unknown', { cause: signal?.reason }));
  signal?.addEventListener('abort', onAbort);
  try {
    const { code, output, words } = await ended(child, tool, onOutput);
    if (cut !== undefined) throw cut;
    if (code !== 0) throw new ToolError(tool, words === '' ? `ended with ${code}` : words);
    return output;
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

interface Ended {
  readonly code: number | null;
  readonly output: string;
  readonly words: string;
}

function ended(child: ChildProcessByStdio<null, Readable, Readable>, tool: string, onOutput?: (text: string) => void): Promise<Ended> {
  return new Promise((resolve, reject) => {
    let output = '';
    let words = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      if (onOutput === undefined) output += text;
      else onOutput(text);
    });
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      words = (words + text).slice(-WORDS_MAX);
    });
    child.on('error', (cause) => reject(new ToolError(tool, 'cannot be started', { cause })));
    child.on('close', (code) => resolve({ code, output, words: words.trim() }));
  });
}
