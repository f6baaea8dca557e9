import { type Static, Type } from 'typebox';
import { isVisible, type Principal, readPermission } from './access.ts';
import { isFinished, operation } from './operation.ts';
import type { Queues } from './queues.ts';
import type { Reader } from './reader.ts';

const HOLDERS_SHOWN = 10;

const holder = Type.Object({
  keys: Type.Array(Type.String(), { description: 'Which of its own `keys` are held.' }),
  operationId: Type.Optional(
    Type.String({ format: 'uuid', description: 'Absent where the caller may not see it: of another project, say.' }),
  ),
  action: Type.Optional(Type.String()),
  resourceKind: Type.Optional(Type.String()),
  resourceId: Type.Optional(Type.String({ format: 'uuid' })),
  state: Type.Optional(Type.String({ description: '`queued`: it waits itself; ask for it to know what for.' })),
  since: Type.Optional(Type.String({ format: 'date-time', description: 'When it began; of one that waits itself, when it was accepted.' })),
});

/** What an operation waits for before it begins, or goes on where a forced deletion has passed it, told beside its row: worked out when it is asked for, and kept nowhere. */
export const waiting = Type.Object(
  {
    for: Type.String({
      description:
        '`operations`: those in `heldBy` have what it needs. `turn`: as many as may are at work. `recovery`: a restored store is to be confirmed. Else as `waitsFor`.',
    }),
    ahead: Type.Optional(
      Type.Integer({ minimum: 0, description: 'How many go before it: in its queues, or until its turn if no others come.' }),
    ),
    heldBy: Type.Optional(
      Type.Array(holder, {
        description: `Those first in its queues, ${HOLDERS_SHOWN} at most, those with most of its keys first. Not in lists.`,
      }),
    ),
    atWorkMax: Type.Optional(Type.Integer({ minimum: 1, description: 'How many are at work at once.' })),
  },
  {
    description:
      'What an operation that has not begun waits for now, or one that a forced deletion has passed: that ends it, or lets it go on. Absent where nothing keeps it.',
  },
);
export type Waiting = Static<typeof waiting>;

/** Where an operation stands that waits; `held` has its keys by who is first in their queues. */
export type Standing =
  | { readonly for: 'operations'; readonly ahead: number; readonly held: ReadonlyMap<string, readonly string[]> }
  | { readonly for: 'turn'; readonly ahead: number; readonly atWorkMax: number }
  | { readonly for: string };

/** What others hold of the keys of an operation; undefined when it is first in all its queues. */
export function heldFrom(queues: Queues, id: string, keys: readonly string[]): Standing | undefined {
  const held = new Map<string, string[]>();
  const ahead = new Set<string>();
  for (const key of keys) {
    const queue = queues.of(key);
    const [first] = queue;
    const place = queue.indexOf(id);
    if (first === undefined || place <= 0) continue;
    for (const other of queue.slice(0, place)) ahead.add(other);
    held.set(first, [...(held.get(first) ?? []), key]);
  }
  return held.size === 0 ? undefined : { for: 'operations', ahead: ahead.size, held };
}

/** The same for one who asks: of operations that he may not see he is told that they are there. */
export async function waitingAs(standing: Standing, principal: Principal, reader: Reader): Promise<Waiting | undefined> {
  if (!('held' in standing)) return standing;
  const most = [...standing.held].sort(([, one], [, other]) => other.length - one.length).slice(0, HOLDERS_SHOWN);
  const told = await Promise.all(most.map(([id, keys]) => holderAs(id, keys, principal, reader)));
  const heldBy = told.filter((each) => each !== undefined);
  return heldBy.length === 0 ? undefined : { for: standing.for, ahead: standing.ahead, heldBy };
}

/** Undefined for one that has ended meanwhile, or is not accepted yet. */
async function holderAs(id: string, held: readonly string[], principal: Principal, reader: Reader) {
  const row = await reader.find(operation, id);
  if (row === undefined || isFinished(row)) return undefined;
  const keys = [...held];
  if (!(await isVisible(operation, row, principal, readPermission(operation), reader))) return { keys };
  const { action, resourceKind, resourceId, state, startedAt, createdAt } = row;
  return { keys, operationId: id, action, resourceKind, resourceId, state, since: startedAt ?? createdAt };
}
