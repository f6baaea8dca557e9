import { parseArgs } from 'node:util';
import { BUDGETS } from './groups.ts';

export const USAGE = `npm test                    the whole proof: static checks, then every group of tests
npm run test:full           the same, each test in its long form
sh tools/node.sh tools/test/main.ts --only GROUP [--full]
                            one group: ${BUDGETS.flatMap(({ groups }) => groups.map(({ name }) => name)).join(', ')}
`;

export interface Asked {
  readonly full: boolean;
  /** The name of a group; absent: all of them. */
  readonly only?: string;
  readonly help: boolean;
}

/** @throws Error that says what is wrong, in a sentence for who has typed it */
export function askedFor(args: readonly string[]): Asked {
  const { full, only, help } = parseArgs({
    args: [...args],
    options: {
      full: { type: 'boolean', default: false },
      only: { type: 'string' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  }).values;
  if (only !== undefined && !BUDGETS.some(({ groups }) => groups.some(({ name }) => name === only)))
    throw new Error(`there is no group ${only}`);
  return { full, help, ...(only === undefined ? {} : { only }) };
}
