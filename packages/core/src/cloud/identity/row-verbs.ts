import type { Static, TObject } from 'typebox';
import { type AcceptRequest, type Action, type AnyKind, defineAction, type Statement, transition } from '../../kernel/index.ts';
import { rowCreate, rowTakenBack } from '../row-only.ts';

interface Creation<K extends AnyKind, T extends TObject> {
  readonly description: string;
  readonly input: T;
  /** What making it writes. */
  readonly rows: (request: AcceptRequest<K, Static<T>>) => Promise<readonly Statement[]> | readonly Statement[];
}

/** The `create` of a kind that is nothing but rows. */
export const creation = <K extends AnyKind, T extends TObject>(kind: K, { description, input, rows }: Creation<K, T>): Action =>
  defineAction<K, T, { readonly kind: string; readonly id: string }, null>({
    kind,
    verb: 'create',
    description,
    target: 'collection',
    input,
    accept: async (request) => ({ params: { kind: kind.name, id: request.id }, statements: await rows(request) }),
    saga: rowCreate,
    context: () => null,
    unwound: rowTakenBack,
  });

/** A move that counts from the answer on: it is written with its acceptance, not after. */
export const moveAtOnce = <K extends AnyKind>(
  kind: K,
  verb: string,
  move: { readonly description: string; readonly input: TObject; readonly from: readonly string[]; readonly to: string },
): Action =>
  defineAction({
    kind,
    verb,
    description: move.description,
    target: 'resource',
    input: move.input,
    satisfied: (row) => row.state === move.to,
    accept: ({ id }) => ({
      params: { kind: kind.name, id },
      statements: [transition(kind, id as never, { from: move.from as never, to: move.to as never })],
    }),
    from: move.from as never,
    saga: rowCreate,
    context: () => null,
  });
