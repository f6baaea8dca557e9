import { type QuotaChange, type QuotaEffect, quotaKey, quotaReleased, type Statement } from '../../kernel/index.ts';
import type { CloudServices } from '../services.ts';
import type { Part, Work } from './part-runs.ts';

/** What an apply takes of quotas at its acceptance for something that it begins later. What follows for the account is the ledger's to know. */
export function reservable(effects: readonly QuotaEffect[]): readonly QuotaChange[] {
  const taken = effects.filter(({ by }) => by > 0).map(({ scope, id, counter, by }) => ({ scope, id, counter, by }));
  const ofProject = new Set(taken.filter(({ scope }) => scope === 'project').map(({ counter }) => counter));
  return taken.filter(({ scope, counter }) => scope === 'project' || !ofProject.has(counter));
}

const taking = ({ reserved = [] }: Part): readonly Statement[] =>
  reserved.map((change) => ({ op: 'adjust', counter: quotaKey(change), by: change.by }));

interface Stages {
  readonly stages: readonly (readonly Work[])[];
  readonly last: readonly Work[];
}

const partsOf = ({ stages, last }: Stages): readonly Part[] => [...stages.flat(), ...last].flatMap(({ parts }) => parts);

/** For the acceptance of an apply: all of its parts fit together, or it is refused; and nobody takes from it what it has not come to yet. */
export const reserving = (params: Stages): readonly Statement[] => partsOf(params).flatMap(taking);

/** Goes with the acceptance of a part, which takes what it uses itself. */
export const givenBack = (part: Part): readonly Statement[] => quotaReleased(taking(part));

/** Goes with the end of an apply that is over before it has come to all of its parts. */
export async function leftOver({ kernel }: CloudServices, params: Stages): Promise<readonly Statement[]> {
  const left: Statement[] = [];
  for (const part of partsOf(params)) if ((await kernel().parts.find(part.operationId)) === undefined) left.push(...givenBack(part));
  return left;
}
