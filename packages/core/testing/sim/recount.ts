import { type AnyKind, type Counter, quotaKey } from '../../src/kernel/index.ts';

type Row = Readonly<Record<string, unknown>>;

/** What a store holds, as a recount needs it. */
export interface Counted {
  readonly kinds: readonly AnyKind[];
  /** The live rows of a kind, by its name. */
  readonly rows: (kind: string) => readonly Row[];
  readonly counters: readonly Counter[];
}

/** Where the use of quotas is not what the live rows count for. Holds whenever no operation is under way. */
export function quotaProblems({ kinds, rows, counters }: Counted): readonly string[] {
  const accounts = new Map(kinds.some(({ name }) => name === 'project') ? rows('project').map((row) => [row.id, row.accountId]) : []);
  const expected = new Map<string, number>();
  for (const { name, quota = {}, operatorsIf } of kinds)
    for (const [counter, by] of Object.entries(quota as Record<string, 1 | string>))
      for (const row of rows(name).filter((each) => operatorsIf === undefined || each[operatorsIf] !== true))
        for (const owner of ownersOf(row, accounts)) {
          const key = quotaKey({ ...owner, counter });
          expected.set(key, (expected.get(key) ?? 0) + (by === 1 ? 1 : Number(row[by] ?? 0)));
        }
  const actual = new Map(counters.flatMap(({ key, value }) => (key.startsWith('quota/') ? [[key, value] as const] : [])));
  return [...new Set([...expected.keys(), ...actual.keys()])]
    .filter((key) => (expected.get(key) ?? 0) !== (actual.get(key) ?? 0))
    .map((key) => `counter ${key} is ${actual.get(key) ?? 0}, but the rows count ${expected.get(key) ?? 0}`);
}

/** Whose quotas a row counts in: its project's, and those of the account that this belongs to. */
function ownersOf({ projectId, accountId }: Row, accounts: ReadonlyMap<unknown, unknown>) {
  const account = projectId === undefined ? accountId : accounts.get(projectId);
  return [
    ...(projectId === undefined ? [] : [{ scope: 'project' as const, id: String(projectId) }]),
    ...(account === undefined ? [] : [{ scope: 'account' as const, id: String(account) }]),
  ];
}
