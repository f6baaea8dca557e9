import { parseScalar } from './fields.ts';

/** Of all actions: whether they are only to tell what they would do. */
export const DRY_RUN = 'dryRun';

/** @throws CloudError invalid_input */
export function takeDryRun(parameters: URLSearchParams): { readonly dryRun: boolean; readonly rest: URLSearchParams } {
  const given = parameters.getAll(DRY_RUN);
  if (given.length === 0) return { dryRun: false, rest: parameters };
  const rest = new URLSearchParams(parameters);
  rest.delete(DRY_RUN);
  return { dryRun: parseScalar(given.at(-1) ?? '', 'boolean', DRY_RUN) === true, rest };
}
