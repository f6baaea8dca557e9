import { parseScalar } from './fields.ts';

/** Of all actions: whether they are only to tell what they would do. */
export const DRY_RUN = 'dryRun';

/** As the caller says it; of several the last. */
export const dryRunOf = (parameters: URLSearchParams): string | undefined => parameters.getAll(DRY_RUN).at(-1);

/** @throws CloudError invalid_input */
export function takeDryRun(parameters: URLSearchParams): { readonly dryRun: boolean; readonly rest: URLSearchParams } {
  const given = dryRunOf(parameters);
  if (given === undefined) return { dryRun: false, rest: parameters };
  const rest = new URLSearchParams(parameters);
  rest.delete(DRY_RUN);
  return { dryRun: parseScalar(given, 'boolean', DRY_RUN) === true, rest };
}
