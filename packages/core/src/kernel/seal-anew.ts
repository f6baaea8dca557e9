import { isCloudError } from './errors.ts';
import type { KernelServices } from './kernel.ts';
import { SEALED_TABLE } from './secrets.ts';

const PAGE_LENGTH = 500;

export interface SealedAnew {
  readonly values: number;
  /** Ids of what none of the keys opens: it is as lost as it was before. */
  readonly unreadable: readonly string[];
}

/**
 * Seals with the newest key whatever an older one has sealed, while the cloud is at work: references stay as they are. Killed meanwhile, it has done some of it,
 * and the rest is opened by the older key as before.
 */
export async function sealAnew({ store, secrets, kernel }: KernelServices): Promise<SealedAnew> {
  let values = 0;
  const unreadable: string[] = [];
  const renew = async (text: string, id: string) => {
    try {
      const statement = secrets.renewed(text);
      // What was let go of meanwhile is sealed no more.
      if (statement !== undefined && (await kernel().observe([statement])).ok) values += 1;
    } catch (error) {
      if (!isCloudError(error) || error.code !== 'internal') throw error;
      unreadable.push(id);
    }
  };
  for (let after: readonly string[] | undefined; ; ) {
    const texts = await store.list({ table: SEALED_TABLE, limit: PAGE_LENGTH, ...(after === undefined ? {} : { after }) });
    const ids = texts.map((text) => String((JSON.parse(text) as { readonly id: unknown }).id));
    // Their commits share a group.
    await Promise.all(texts.map((text, index) => renew(text, ids[index] ?? '')));
    const last = ids.at(-1);
    if (last === undefined || texts.length < PAGE_LENGTH) return { values, unreadable };
    after = [last];
  }
}
