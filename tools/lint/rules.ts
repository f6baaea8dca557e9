/** A pattern that must not occur in some folders, and what to do instead. */
export interface Ban {
  readonly pattern: RegExp;
  readonly instead: string;
  readonly within: readonly string[];
  /** Adapters to the real world, and what runs before anything is served. */
  readonly except?: readonly string[];
}

const SERVING = ['packages/core/src', 'packages/server/src'];
/** Where clock, chance and timers of the real world enter. */
const ADAPTERS = ['packages/core/src/node', 'packages/core/src/sqlite', 'packages/core/src/store'];
const PRODUCT = [
  'packages/core/src',
  'packages/server/src',
  'packages/drivers-kvm/src',
  'packages/drivers-ovs/src',
  'packages/drivers-rbd/src',
  'packages/sdk/src',
  'packages/cli/src',
];

export const BANS: readonly Ban[] = [
  { pattern: /\bDate\.now\(|\bnew Date\(\)/, instead: 'environment.clock', within: SERVING, except: ADAPTERS },
  { pattern: /\bperformance\.now\(/, instead: 'environment.clock.monotonicMs()', within: SERVING, except: ADAPTERS },
  {
    pattern: /\bMath\.random\(|\brandomUUID\(|\brandomBytes\(|\bgetRandomValues\(/,
    instead: 'environment.random, or Ids',
    within: SERVING,
    except: ADAPTERS,
  },
  {
    pattern: /\b(setTimeout|setInterval|setImmediate)\(|from '(node:)?timers(\/promises)?'/,
    instead: 'environment.timers',
    within: SERVING,
    except: ADAPTERS,
  },
  {
    pattern: /\b\w+Sync\(/,
    instead: 'the asynchronous form: a call that blocks holds up every request',
    within: SERVING,
    except: ['packages/core/src/sqlite'],
  },
  {
    pattern: /\bexec\(\s*['"`]|\bshell:\s*true|['"](?:ba)?sh['"],\s*\[?\s*['"]-c['"]/,
    instead: 'an argument vector, without a shell',
    within: [...PRODUCT, 'tools', 'test'],
    // There, `exec` is SQLite's.
    except: ['packages/core/src/sqlite'],
  },
  {
    pattern: /@ts-ignore|@ts-nocheck/,
    instead: 'a type that is right',
    within: ['examples', 'packages', 'tools', 'test'],
    except: ['tools/lint'],
  },
  {
    pattern: /\b(describe|it|context)\.(only|skip)\(|\bthis\.skip\(/,
    instead: 'a test that runs',
    within: ['examples', 'packages', 'test'],
  },
  {
    pattern: /\b[Aa] \$\{[^}]*\b(name|kind|[a-z]+Kind|kindName)\}/,
    instead: 'oneOf(kind), which says `an instance`',
    within: [...PRODUCT, 'tools'],
  },
  { pattern: /\beval\(|\bnew Function\(/, instead: 'data, not code', within: PRODUCT },
  {
    pattern: /from 'inversify'/,
    instead: 'arguments; the container is for server/src/compose.ts alone',
    within: PRODUCT,
    except: ['packages/server/src/compose.ts'],
  },
  {
    pattern: /^import (?!type ).*from 'node:http'/,
    instead: 'core/src/node/plain-http.ts; an import of it loads a client for `fetch`, 9 MiB',
    within: [
      'packages/core/src',
      'packages/drivers-kvm/src',
      'packages/drivers-rbd/src',
      'packages/drivers-ovs/src',
      'packages/server/src',
    ],
    except: ['packages/server/src/agent'],
  },
  {
    pattern: /from 'rxjs'/,
    instead: 'async iterables; rxjs is for @pileus/sdk/rxjs alone',
    within: PRODUCT,
    except: ['packages/sdk/src/rxjs.ts', 'packages/sdk/src/rxjs'],
  },
];

/** Lines of a file, unless its head says why it has to be longer: `Long because …`. */
export const FILE_LINES_MAX = 400;
