import type { Kernel } from '../kernel.ts';
import { systemTag } from './system-tag.ts';
import { tagGone } from './tag.ts';

const BATCH_LENGTH = 200;

/** What was said for as long as the server runs is over when it starts. */
export async function dropEphemeral(kernel: Pick<Kernel, 'registry' | 'reader' | 'observe'>): Promise<void> {
  const { registry, reader } = kernel;
  const names = registry.systemTags.known(true).flatMap(({ name, lifecycle }) => (lifecycle === 'ephemeral' ? [name] : []));
  if (names.length === 0) return;
  for (;;) {
    const rows = await reader.list(systemTag, { field: 'tag', op: 'in', value: names }, { limit: BATCH_LENGTH });
    if (rows.length === 0) return;
    await kernel.observe(rows.map((row) => tagGone(row, systemTag.name)));
  }
}
