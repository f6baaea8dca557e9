import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { CloudError } from '@pileus/core/kernel';

const execute = promisify(execFile);
const TIMEOUT_MS = 30_000;

/** Runs a program without a shell, and answers what it said. @throws CloudError unavailable, with what it complained of */
export async function runProgram(program: string, args: readonly string[]): Promise<string> {
  try {
    return (await execute(program, [...args], { timeout: TIMEOUT_MS })).stdout;
  } catch (cause) {
    const { stderr = '', message } = cause as Error & { readonly stderr?: string };
    throw new CloudError('unavailable', `${program} ${args.join(' ')} failed: ${stderr.trim() || message}`, { cause });
  }
}
