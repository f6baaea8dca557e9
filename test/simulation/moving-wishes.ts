import type { JsonObject } from '@pileus/core/kernel';
import { HOOKS_URL } from './deliveries.ts';
import type { Drawing, Wishes } from './wish.ts';

const SECRET = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;

/** Volumes and machines that are moved, and those outside who are told of what happens. */
export function movingWishes({ random, id, name, on }: Drawing): Wishes {
  const hook = (verb: string, input: JsonObject = {}) => on(`webhook.${verb}`, 'webhook', input);
  const kinds = () =>
    random.pick<readonly string[]>([['instance'], ['volume', 'nic'], ['operation'], ['instance', 'volume', 'network', 'operation']]);
  return [
    // There and back: what has only just left a pool is refused there for a while (decision 28).
    [10, () => on('volume.move', 'volume', { storageClass: 'shared' })],
    [10, () => on('volume.move', 'volume', { storageClass: 'standard' })],
    [8, () => ({ ...on('instance.migrate', 'instance'), by: 'operator' })],
    [3, () => ({ ...on('instance.evacuate', 'instance'), by: 'operator' })],
    [
      4,
      () => ({
        action: 'webhook.create',
        input: { name: name(), url: `${HOOKS_URL}/${id}`, kinds: [...kinds()], secret: SECRET },
      }),
    ],
    [2, () => hook('update', { kinds: [...kinds()] })],
    [2, () => hook('disable')],
    [2, () => hook('enable')],
    [2, () => hook('delete')],
  ];
}
