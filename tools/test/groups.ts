/** A part of the proof that runs in a process of its own. Groups of the same lane run one after the other, lanes side by side. */
export interface Group {
  readonly name: string;
  readonly lane: Lane;
  /** Globs of test files. */
  readonly files: readonly string[];
  /** Globs of those that another group has. */
  readonly except?: readonly string[];
  /** Needs root and the Debian packages of `tools/system`. */
  readonly real: boolean;
}

/** Reckoning, waiting for drivers, and waiting for guests: each leaves the processors to the others for most of its time. */
export const LANES = ['logic', 'drivers', 'guests'] as const;
export type Lane = (typeof LANES)[number];

/** What the core's tests are of the kernel in full, and not of the spine. */
const KERNEL_IN_CORE = [
  'packages/core/test/{query,examples}/**/*.test.ts',
  'packages/core/test/kernel/audit/*.test.ts',
  'packages/core/test/kernel/{cascade-plan,fairness,places,quota}.test.ts',
  'packages/core/test/cloud/{events,identity,placement}/*.test.ts',
  'packages/core/test/cloud/{dry-run,tags}.test.ts',
  'packages/core/test/api/{access,audit,dry-run,system-tags,tags}.test.ts',
];

/** What belongs to one issue shares its budget: minutes of `npm test` on two cores. */
export const BUDGETS: readonly { readonly name: string; readonly minutes: number; readonly groups: readonly Group[] }[] = [
  {
    name: 'spine',
    minutes: 8,
    groups: [
      { name: 'core', lane: 'logic', files: ['packages/core/test/**/*.test.ts'], except: KERNEL_IN_CORE, real: false },
      { name: 'sdk', lane: 'logic', files: ['packages/sdk/test/**/*.test.ts'], real: false },
      { name: 'cli', lane: 'logic', files: ['packages/cli/test/**/*.test.ts'], real: false },
      { name: 'server', lane: 'logic', files: ['packages/server/test/*.test.ts', 'packages/server/test/limits/*.test.ts'], real: false },
      { name: 'simulation', lane: 'logic', files: ['test/simulation/**/*.test.ts'], real: false },
      { name: 'repository', lane: 'logic', files: ['test/repository/**/*.test.ts'], real: false },
      { name: 'kvm', lane: 'drivers', files: ['packages/drivers-kvm/test/**/*.test.ts'], real: true },
      { name: 'lab', lane: 'drivers', files: ['test/lab/**/*.test.ts'], real: true },
      { name: 'acceptance', lane: 'guests', files: ['test/acceptance/**/*.test.ts'], real: true },
    ],
  },
  {
    name: 'kernel',
    minutes: 5,
    groups: [
      { name: 'core-kernel', lane: 'logic', files: KERNEL_IN_CORE, real: false },
      { name: 'postgres', lane: 'drivers', files: ['packages/server/test/postgres/**/*.test.ts'], real: true },
      { name: 'tenants', lane: 'logic', files: ['packages/server/test/tenants/**/*.test.ts'], real: false },
      { name: 'sign-in', lane: 'drivers', files: ['packages/server/test/auth/**/*.test.ts'], real: true },
      { name: 'kills', lane: 'drivers', files: ['packages/server/test/kills/**/*.test.ts'], real: false },
    ],
  },
];
