import { type AnySaga, FORWARD_ONLY, NOTHING_TO_UNDO, oneOf, type Registry, type StepNode } from '@pileus/core/kernel';
import { code, mermaid, page, sagaHeading } from './pages.ts';

/** docs/reference/sagas.md: the steps of every saga, and the way back. */
export function sagasPage(registry: Registry): string {
  const sagas = [...registry.sagas()].sort((a, b) => (sagaHeading(a) < sagaHeading(b) ? -1 : 1));
  return page([
    '# Sagas',
    'What the actions do, step by step; how they survive crashes is told in [Sagas](../internals/saga.md). Solid arrows: the steps. Dotted ones: the way back when a step fails or the operation is cancelled, each undo retried until it is done. A saga of several steps is drawn, the others are told in a line.',
    [
      '| Drawn as | Step |',
      '|---|---|',
      '| box | effect: calls a driver, its output is journaled after |',
      '| cylinder | write: rows change together with the journal |',
      '| hexagon | the same effect for each of several things |',
      '| box with double sides | whole sagas in the place of a step, undone by their own steps, unless those go forward only |',
      '| bold frame | forward only: from here on the saga goes on, retrying for ever |',
    ].join('\n'),
    ...sagas.flatMap((saga) => [`## ${sagaHeading(saga)}`, users(registry, saga), picture(saga)]),
  ]);
}

function users(registry: Registry, saga: AnySaga): string {
  const actions = registry.actions().filter((action) => action.saga === saga);
  const phases = registry.kinds().flatMap(({ name }) => {
    const deletion = registry.findDeletion(name);
    if (deletion === undefined) return [];
    const { quiesce, remove, trash } = deletion;
    return [
      ...(quiesce === saga ? [`when ${oneOf(name)} is brought to rest for its deletion`] : []),
      ...(remove === saga ? [`when ${oneOf(name)} is removed`] : []),
      ...(trash?.back === saga ? [`when ${oneOf(name)} comes back from the trash`] : []),
    ];
  });
  const uses = [...(actions.length === 0 ? [] : [`by ${code(actions.map(({ name }) => name))}`]), ...phases];
  return uses.length === 0 ? '' : `Run ${uses.join('; ')}.`;
}

function picture({ steps }: AnySaga): string {
  const [first] = steps;
  if (first === undefined) return 'No steps: with its acceptance everything is done.';
  if (steps.length === 1) return `One step, \`${first.name}\`: ${nature(first)}.`;
  return mermaid(['flowchart LR', ...lines(steps)]);
}

const NATURES = { effect: 'an effect', write: 'a write', each: 'an effect for each', subs: 'whole sagas' } as const;

function nature(step: StepNode): string {
  if (step.type === 'subs') return `${NATURES.subs}, undone by their own steps`;
  const undo = step.undo === FORWARD_ONLY ? 'forward only' : step.undo === NOTHING_TO_UNDO ? 'nothing to undo' : 'with an undo';
  return `${NATURES[step.type]}, ${undo}`;
}

const isUndone = (step: StepNode): boolean => step.type === 'subs' || (step.undo !== FORWARD_ONLY && step.undo !== NOTHING_TO_UNDO);
const isForwardOnly = (step: StepNode): boolean => step.type !== 'subs' && step.undo === FORWARD_ONLY;

/** A failed effect is undone too; a failed write was never there, so its way back begins at the step before. */
function lines(steps: readonly StepNode[]): readonly string[] {
  const forward = steps.findIndex(isForwardOnly);
  const steer = forward < 0 ? steps.length : forward;
  const undone = (before: number) => steps.slice(0, before).findLastIndex(isUndone);
  const found: string[] = steps.map((step, index) => `  s${index}${shape(step)}${isForwardOnly(step) ? ':::forward' : ''}`);
  if (steps.length > 1) found.push(`  ${steps.map((_, index) => `s${index}`).join(' --> ')}`);
  for (const [index, step] of steps.slice(0, steer).entries()) {
    const back = undone(step.type === 'write' ? index : index + 1);
    if (back >= 0) found.push(`  s${index} -.-> u${back}`);
    const next = undone(index);
    if (isUndone(step) && (index + 1 < steer || step.type !== 'write')) {
      found.push(`  u${index}(["undo ${step.name}"])`);
      if (next >= 0) found.push(`  u${index} -.-> u${next}`);
    }
  }
  return forward < 0 ? found : [...found, '  classDef forward stroke-width:4px'];
}

function shape({ type, name }: StepNode): string {
  switch (type) {
    case 'effect':
      return `["${name}"]`;
    case 'write':
      return `[("${name}")]`;
    case 'each':
      return `{{"${name}"}}`;
    case 'subs':
      return `[["${name}"]]`;
  }
}
