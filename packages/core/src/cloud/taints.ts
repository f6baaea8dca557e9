import { type Static, Type } from 'typebox';
import { CloudError } from '../kernel/index.ts';

const TAINTS_MAX = 32;
const text = { minLength: 1, maxLength: 63 };

const taint = Type.Object({
  key: Type.String({ ...text, description: 'Of one host no two are the same.' }),
  value: Type.Optional(Type.String(text)),
  effect: Type.Union([Type.Literal('hard'), Type.Literal('soft')], {
    description: '`hard`: no machine that does not tolerate it is placed there. `soft`: only those that find no room elsewhere.',
  }),
});
const toleration = Type.Object({
  key: Type.String(text),
  value: Type.Optional(Type.String({ ...text, description: 'Of the taint. Default: any, and none.' })),
});

export type Taint = Static<typeof taint>;
export type Toleration = Static<typeof toleration>;

export const taints = () =>
  Type.Array(taint, {
    maxItems: TAINTS_MAX,
    description:
      'What keeps off machines whose type does not tolerate it, e.g. `[{ "key": "gpu", "effect": "hard" }]`. Those that are there stay.',
  });

export const tolerations = () =>
  Type.Array(toleration, {
    maxItems: TAINTS_MAX,
    uniqueItems: true,
    description: 'Taints of hosts that do not keep its machines off, e.g. `[{ "key": "gpu" }]`. They draw them nowhere: `hostLabels` do.',
  });

export const isTolerated = ({ key, value }: Taint, by: readonly Toleration[] = []): boolean =>
  by.some((each) => each.key === key && (each.value === undefined || each.value === value));

/** As in `gpu=a100`. */
export const taintText = ({ key, value }: Taint): string => (value === undefined ? key : `${key}=${value}`);

/** @throws CloudError invalid_input */
export function refuseTwice(given: readonly Taint[] | null | undefined): void {
  const keys = new Set<string>();
  for (const [index, { key }] of (given ?? []).entries()) {
    if (keys.has(key)) throw new CloudError('invalid_input', `Another taint has the key ${key}.`, { pointer: `/taints/${index}/key` });
    keys.add(key);
  }
}
