import type { Args, Result } from '../calls.ts';
import { check, ENOENT, ERANGE } from './failures.ts';
import { type Pointer, rbd, sizeCell, textIn, textsIn } from './native.ts';
import { nameOf, type Session } from './session.ts';

const TEXT_BYTES = 4_096;

export async function getMetadata(session: Session, args: Args<'metadata.get'>): Promise<string | null> {
  return await session.withImage(args, 'read', (image) => metadataOf(image, args.key, nameOf(args)));
}

export async function metadataOf(image: Pointer, key: string, name: string): Promise<string | null> {
  for (let room = TEXT_BYTES; ; room *= 4) {
    const value = Buffer.alloc(room);
    const result = await rbd.rbd_metadata_get.later(image, key, value, sizeCell(room));
    if (result === -ERANGE) continue;
    if (result === -ENOENT) return null;
    check(result, `${key} of ${name}`);
    return textIn(value);
  }
}

export async function setMetadata(session: Session, args: Args<'metadata.set'>): Promise<null> {
  return await session.withImage(args, 'write', async (image) => {
    check(await rbd.rbd_metadata_set.later(image, args.key, args.value), `${args.key} of ${nameOf(args)}`);
    return null;
  });
}

export async function removeMetadata(session: Session, args: Args<'metadata.remove'>): Promise<null> {
  return await session.withImage(args, 'write', async (image) => {
    const result = await rbd.rbd_metadata_remove.later(image, args.key);
    if (result !== -ENOENT) check(result, `${args.key} of ${nameOf(args)}`);
    return null;
  });
}

export async function listMetadata(session: Session, args: Args<'metadata.list'>): Promise<Result<'metadata.list'>> {
  return await session.withImage(args, 'read', async (image) => {
    for (let room = TEXT_BYTES; ; room *= 4) {
      const [keys, values] = [Buffer.alloc(room), Buffer.alloc(room)];
      const [keysBytes, valuesBytes] = [sizeCell(room), sizeCell(room)];
      const result = await rbd.rbd_metadata_list.later(image, args.after, BigInt(args.limit), keys, keysBytes, values, valuesBytes);
      if (result === -ERANGE) continue;
      check(result, `metadata of ${nameOf(args)}`);
      const told = textsIn(values, Number(valuesBytes.readBigUInt64LE()));
      return textsIn(keys, Number(keysBytes.readBigUInt64LE())).map((key, index) => [key, told[index] ?? ''] as const);
    }
  });
}
