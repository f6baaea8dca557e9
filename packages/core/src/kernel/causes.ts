import { Type } from 'typebox';
import { CloudError, chainOf, toErrorRecord } from './errors.ts';
import type { Plugin } from './plugin.ts';
import type { RunPorts } from './saga/subject.ts';
import type { Store } from './store.ts';

const OPERATIONS_MAX = 1000;
/** The last ones of an operation. */
const FAILURES_MAX = 16;
const TEXT_MAX = 1000;

interface Cause {
  readonly at: string;
  readonly step: string;
  readonly phase: 'do' | 'undo';
  readonly attempt: number;
  readonly code: string;
  readonly chain: readonly string[];
}

/**
 * What lay behind the steps that failed, with the texts of drivers and backends: for operators alone, so that nothing of it is in rows or feed, which tenants read. The
 * newest operations stay in memory; what is older, or of an earlier start, is in the log alone.
 */
export class Causes {
  readonly #byOperation = new Map<string, Cause[]>();

  /** For `RunPorts`. */
  readonly failed: NonNullable<RunPorts['failed']> = (operationId, { error, ...where }) => {
    const known = this.#byOperation.get(operationId) ?? [];
    // Again at the end: the first of the map is the one that failed longest ago.
    this.#byOperation.delete(operationId);
    this.#byOperation.set(operationId, known);
    known.push({ ...where, code: toErrorRecord(error).code, chain: chainOf(error).map((text) => text.slice(0, TEXT_MAX)) });
    if (known.length > FAILURES_MAX) known.shift();
    const [oldest] = this.#byOperation.keys();
    if (this.#byOperation.size > OPERATIONS_MAX && oldest !== undefined) this.#byOperation.delete(oldest);
  };

  of(operationId: string): readonly Cause[] {
    return this.#byOperation.get(operationId) ?? [];
  }
}

const ANSWER = Type.Object({
  causes: Type.Array(
    Type.Object({
      at: Type.String({ format: 'date-time' }),
      step: Type.String(),
      phase: Type.Union([Type.Literal('do'), Type.Literal('undo')]),
      attempt: Type.Integer({ minimum: 1 }),
      code: Type.String(),
      chain: Type.Array(Type.String(), { description: 'What went wrong, then what that was caused by, down to what the system said.' }),
    }),
    { description: 'Oldest first; none of an operation that failed before this server was started.' },
  ),
});

export function causesPlugin(store: Store, causes: Causes): Plugin {
  return {
    id: 'causes',
    version: '1',
    endpoints: [
      {
        type: 'value',
        method: 'GET',
        path: '/causes/{id}',
        summary: 'Why steps of an operation failed, with all that lay behind. For operators: tenants read the `error` of the operation.',
        permission: 'cause.read',
        answer: ANSWER,
        handle: async ({ params: { id = '' } }) => {
          if ((await store.read('operation', id)) === undefined) throw new CloudError('not_found', `No operation ${id}.`);
          return { causes: causes.of(id) };
        },
      },
    ],
  };
}
