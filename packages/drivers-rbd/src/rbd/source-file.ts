import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Content } from '@pileus/core/strategy';
import type { Deadline } from './deadline.ts';
import { DriverError } from './driver-error.ts';

interface SourceFile extends AsyncDisposable {
  readonly path: string;
}

/** The file that the content is in; else one that it is written to, removed after use. */
export async function fileOf(content: Content, deadline: Deadline): Promise<SourceFile> {
  if (content.path !== undefined) return { path: content.path, [Symbol.asyncDispose]: async () => undefined };
  const directory = await mkdtemp(join(tmpdir(), 'pileus-image-'));
  const remove = () => rm(directory, { recursive: true, force: true });
  try {
    const path = join(directory, 'content');
    const bytes = await deadline.bound(writeInto(path, content, deadline), 'for the content of an image');
    if (bytes !== content.sizeBytes)
      throw new DriverError('invalid', `the content has ${bytes} bytes, not the ${content.sizeBytes} announced`);
    return { path, [Symbol.asyncDispose]: remove };
  } catch (error) {
    await remove();
    throw error;
  }
}

async function writeInto(path: string, content: Content, deadline: Deadline): Promise<number> {
  const file = await open(path, 'wx', 0o600);
  try {
    let bytes = 0;
    for await (const piece of content.open()) {
      if (deadline.passed || bytes > content.sizeBytes) break;
      await file.write(piece);
      bytes += piece.length;
    }
    return bytes;
  } finally {
    await file.close();
  }
}
