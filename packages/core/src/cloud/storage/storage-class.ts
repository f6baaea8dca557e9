import { Type } from 'typebox';
import { defineKind, type RowOf } from '../../kernel/index.ts';
import type { DiskLimits, PoolFacts } from '../../strategy/index.ts';
import type { volume } from './volume.ts';

/** What a volume may do in a second, by its size. */
const bySize = (what: string) =>
  Type.Optional(
    Type.Object(
      {
        base: Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER, description: 'Of every volume.' }),
        perGib: Type.Number({ minimum: 0, maximum: 1e12, description: 'More for each GiB of its size.' }),
        max: Type.Optional(Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER, description: 'Never more than this.' })),
      },
      {
        description: `${what} a second that a volume may do, by its size; without, as many as its pool can. Limits of its own may be tighter.`,
      },
    ),
  );

export const storageClass = defineKind({
  name: 'storageClass',
  plural: 'storage-classes',
  description: 'What storage of this name promises: how many copies, of what kind, and how much it does in a second. Pools keep it.',
  scope: 'cloud',
  tenantsRead: true,
  schema: Type.Object({
    description: Type.Optional(Type.String({ maxLength: 1024 })),
    replicas: Type.Optional(
      Type.Integer({ minimum: 1, maximum: 16, description: 'Copies of each byte that its pools keep at least. Default: no promise.' }),
    ),
    replicasMin: Type.Optional(
      Type.Integer({
        ...{ minimum: 1, maximum: 16 },
        description:
          'Copies of what is written that its pools have at least before they say so; with fewer, writes wait. Default: no promise.',
      }),
    ),
    failureDomains: Type.Optional(
      Type.Array(Type.String({ minLength: 1, maxLength: 63 }), {
        ...{ minItems: 1, maxItems: 16, uniqueItems: true },
        description: 'In its pools no two copies share one of these: the one or the other, e.g. `host`, `rack`. Default: no promise.',
      }),
    ),
    deviceClass: Type.Optional(
      Type.String({ minLength: 1, maxLength: 63, description: 'What its pools are made of, e.g. `ssd`. Default: no promise.' }),
    ),
    encrypted: Type.Optional(
      Type.Boolean({
        description:
          'Whether what is made in it is encrypted, asked for or not; its pools can do that. Holds for new volumes. Default: false.',
      }),
    ),
    iopsPerSecond: bySize('Reads and writes'),
    bytesPerSecond: bySize('Bytes'),
  }),
  states: { available: ['deleting', 'deleted'], deleting: ['deleted'] },
  initial: 'available',
});

export type ClassRow = RowOf<typeof storageClass>;

/** What a class promises that its pools have to keep. */
export const PROMISES = ['replicas', 'replicasMin', 'failureDomains', 'deviceClass', 'encrypted'] as const;
export type Promised = Pick<ClassRow, 'name' | (typeof PROMISES)[number]>;
export type KnownFacts = Partial<Pick<PoolFacts, 'replicas' | 'replicasMin' | 'failureDomain' | 'deviceClass'>> & {
  /** Absent where nobody has looked yet. */
  readonly encrypts?: boolean;
};

export interface Shortfall {
  /** Of the class. */
  readonly field: (typeof PROMISES)[number];
  /** What the pool does in place of what is promised. */
  readonly text: string;
}

/** How a pool of which this is known does not keep what the class promises. A pool of which nothing is told keeps one copy. */
export function shortfallOf(promised: Promised, facts: KnownFacts): Shortfall | undefined {
  const { replicas = 1, replicasMin = 1, failureDomain, deviceClass, encrypts } = facts;
  const lacks = (field: Shortfall['field'], is: string, wanted: string) => ({
    field,
    text: `${is}; its class ${promised.name} promises ${wanted}`,
  });
  if (replicas < (promised.replicas ?? 1)) return lacks('replicas', `keeps ${copies(replicas)}`, copies(promised.replicas ?? 1));
  if (replicasMin < (promised.replicasMin ?? 1))
    return lacks('replicasMin', `takes writes with ${copies(replicasMin)}`, copies(promised.replicasMin ?? 1));
  if (promised.failureDomains !== undefined && !promised.failureDomains.some((each) => each === failureDomain))
    return lacks(
      'failureDomains',
      failureDomain === undefined ? 'does not tell what its copies are apart by' : `keeps copies apart by ${failureDomain}`,
      promised.failureDomains.join(' or '),
    );
  if (promised.deviceClass !== undefined && deviceClass !== undefined && deviceClass !== promised.deviceClass)
    return lacks('deviceClass', `is made of ${deviceClass}`, promised.deviceClass);
  if (promised.encrypted === true && encrypts === false) return lacks('encrypted', 'cannot encrypt volumes', 'that');
  return undefined;
}

const copies = (count: number): string => (count === 1 ? '1 copy' : `${count} copies`);

const GIB = 2 ** 30;

/** At least 1: 0 would be no limit at all. */
const amount = ({ base, perGib, max = Number.MAX_SAFE_INTEGER }: { base: number; perGib: number; max?: number }, sizeBytes: number) =>
  Math.max(1, Math.min(max, Math.floor(base + (perGib * sizeBytes) / GIB)));

/** The limits in force of a volume of the class: the tighter ones of the class, by the size of the volume, and of its own. */
export function limitsInForce(
  of: Pick<ClassRow, 'iopsPerSecond' | 'bytesPerSecond'> | undefined,
  { limits = {}, sizeBytes }: Pick<RowOf<typeof volume>, 'limits' | 'sizeBytes'>,
): DiskLimits | undefined {
  const tighter = (field: 'iopsPerSecond' | 'bytesPerSecond') => {
    const own = limits[field];
    const rule = of?.[field];
    if (rule === undefined) return own;
    const given = amount(rule, sizeBytes);
    return own === undefined || own === 0 ? given : Math.min(own, given);
  };
  const [iopsPerSecond, bytesPerSecond] = [tighter('iopsPerSecond'), tighter('bytesPerSecond')];
  const both = {
    ...(iopsPerSecond === undefined ? {} : { iopsPerSecond }),
    ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
  };
  return Object.keys(both).length === 0 ? undefined : both;
}
