import { makeFile, type NewFile } from '../store/file.ts';
import type { ReaderMethods } from './reader-thread.ts';
import { Thread } from './thread.ts';

/** Copies the store at `from`, which may be in use, into the new file `to`; `finish` may change the copy before it gets its name. */
export async function copyStore(from: string, to: NewFile, finish: (partial: string) => Promise<void> = async () => {}): Promise<void> {
  await makeFile(to, async (partial) => {
    const thread = new Thread<ReaderMethods>('reader-thread');
    try {
      await thread.call('open', from, []);
      await thread.call('vacuumInto', partial);
    } finally {
      await thread.terminate();
    }
    await finish(partial);
  });
}
