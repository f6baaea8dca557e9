import { createHash } from 'node:crypto';
import { createReadStream, openAsBlob } from 'node:fs';
import { stat } from 'node:fs/promises';
import { basename, extname } from 'node:path';
import { isPileusError } from '@pileus/sdk';
import type { KindDescription } from '@pileus/sdk/document';
import type { Command } from 'commander';
import { asRow, outputOption } from './accept.ts';
import { UsageError } from './exit.ts';
import { InputFlags } from './flags.ts';
import { defaultColumns, type Format, formatRow, formatRows, size } from './format.ts';
import { idOf, type Server } from './server.ts';
import type { Session } from './session.ts';
import { contextOf } from './verb-commands.ts';

/** `pileus images upload FILE`: registers the image and sends its content. An image of that name takes it that still waits for content, or has it. */
export function addImageUpload(parent: Command, session: Session, server: Server, kind: KindDescription): void {
  const schema = kind.verbs.find(({ route }) => route === 'create')?.input?.schema ?? {};
  const flags = new InputFlags(schema, ['name', 'sha256', 'sourceUrl'], ['output', 'file']);
  const command = parent.command('upload').description('Registers an image and uploads its content.');
  command.argument('<file>', 'the disk image').argument('[name]', 'default: that of the file');
  flags.declare(command);
  command
    .addOption(outputOption())
    .action(async (file: string, given: string | undefined, options: Readonly<Record<string, unknown>> & { readonly output: Format }) => {
      session.context = contextOf(session, server, flags);
      const name = given ?? nameOf(file);
      const sizeBytes = await sizeOf(file);
      const input = await flags.read(options, { name }, (refKind, text) => idOf(server, refKind, text));
      const sha256 = await digestOf(file, session.signal);
      const id = await register(session, server, input, { name, sha256 });
      const content = await openAsBlob(file);
      await server.cloud.images
        .upload(id, content, { sha256, signal: session.signal, onProgress: progressOf(session, name, sizeBytes) })
        .catch((error: unknown) => {
          if (goesOnLater(error)) session.note('What has arrived is kept for a while: the same command again goes on from there.');
          throw error;
        });
      const row = asRow(await server.cloud.images.get(id));
      session.out(
        options.output === 'table' ? formatRows([row], 'table', defaultColumns(kind), session.width) : formatRow(row, options.output),
      );
    });
}

/** Nobody has refused the content: it is the connection, the server or the person that has stopped. */
export const goesOnLater = (error: unknown): boolean =>
  isPileusError(error) && (error.retry === 'same_request' || error.code === 'aborted');

/** `Debian 12.qcow2` -> `debian-12` */
const nameOf = (file: string): string =>
  basename(file, extname(file))
    .toLowerCase()
    .replaceAll(/[^a-z0-9]+/g, '-')
    .replaceAll(/^-+|-+$/g, '')
    .slice(0, 63);

async function sizeOf(file: string): Promise<number> {
  const found = await stat(file).catch((error: unknown) => {
    throw new UsageError(`Cannot read ${file}: ${error instanceof Error ? error.message : String(error)}`);
  });
  if (!found.isFile()) throw new UsageError(`Cannot upload ${file}: it is no file.`);
  return found.size;
}

async function digestOf(file: string, signal: AbortSignal): Promise<string> {
  const hash = createHash('sha256');
  for await (const chunk of createReadStream(file, { signal })) hash.update(chunk);
  return hash.digest('hex');
}

/** One that has the content already was uploaded by whoever did not hear the end. */
async function register(
  session: Session,
  { cloud }: Server,
  input: Record<string, unknown>,
  { name, sha256 }: { readonly name: string; readonly sha256: string },
) {
  try {
    return (
      await cloud
        .resource({ kind: 'image', plural: 'images' })
        .createAny(input, { signal: session.signal })
        .wait({ signal: session.signal })
    ).id;
  } catch (error) {
    if (!isPileusError(error) || error.code !== 'name_taken') throw error;
    const there = await cloud.images.get(name);
    if (there.state !== 'awaiting_content' && there.sha256 !== sha256) throw error;
    return there.id;
  }
}

const STEP_BYTES = 64 * 1024 ** 2;

function progressOf(session: Session, name: string, sizeBytes: number): (sentBytes: number) => void {
  let next = 0;
  return (sentBytes) => {
    if (sentBytes < next && sentBytes < sizeBytes) return;
    next = sentBytes + Math.max(STEP_BYTES, sizeBytes / 20);
    session.note(
      `${name}  ${String(Math.floor((100 * sentBytes) / Math.max(1, sizeBytes))).padStart(3)} %  ${size(sentBytes)} of ${size(sizeBytes)}`,
    );
  };
}
