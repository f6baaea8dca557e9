import { RadosError } from './errors.ts';

/** What the cluster has, in bytes of its disks, copies counted. */
export interface ClusterDf {
  readonly totalBytes: bigint;
  readonly availableBytes: bigint;
  readonly usedBytes: bigint;
  readonly pools: readonly PoolDf[];
}

export interface PoolDf {
  readonly name: string;
  readonly id: number;
  /** Without copies. */
  readonly storedBytes: bigint;
  /** With copies. */
  readonly usedBytes: bigint;
  /** What can still be stored, without copies. */
  readonly availableBytes: bigint;
  readonly objects: bigint;
}

export interface HealthCheck {
  /** Ceph's own: `OSD_DOWN`, `POOL_NEARFULL`. */
  readonly code: string;
  readonly severity: string;
  readonly summary: string;
  readonly details: readonly string[];
  readonly isMuted: boolean;
}

export interface ClusterHealth {
  readonly status: 'HEALTH_OK' | 'HEALTH_WARN' | 'HEALTH_ERR';
  readonly checks: readonly HealthCheck[];
}

export interface PoolDetail {
  readonly name: string;
  readonly id: number;
  readonly type: 'replicated' | 'erasure';
  /** Copies, or chunks. */
  readonly size: number;
  /** Of an erasure-coded pool: the name of what says how many of its chunks are data. */
  readonly profile?: string;
  readonly minSize: number;
  readonly pgs: number;
  readonly crushRule: number;
  /** `full`, `nearfull`, `selfmanaged_snaps` … */
  readonly flags: readonly string[];
  /** 0: none. */
  readonly quotaBytes: bigint;
  readonly applications: readonly string[];
}

/** An answer of the monitors: JSON, with whole numbers that a number cannot hold exactly as bigint; else the text. */
export function readAnswer(output: string): unknown {
  if (!/^\s*[[{"\d-]/.test(output)) return output.trimEnd();
  try {
    return parse(output, (_key, value, { source }) =>
      typeof value === 'number' && !Number.isSafeInteger(value) && /^-?\d+$/.test(source) ? BigInt(source) : value,
    );
  } catch {
    return output.trimEnd();
  }
}

/** The reviver with the source of numbers, which the type library does not know yet. */
const parse = JSON.parse as (
  text: string,
  reviver: (key: string, value: unknown, context: { readonly source: string }) => unknown,
) => unknown;

export function readDf(answer: unknown): ClusterDf {
  const stats = field(answer, 'stats');
  return {
    totalBytes: big(field(stats, 'total_bytes')),
    availableBytes: big(field(stats, 'total_avail_bytes')),
    usedBytes: big(field(stats, 'total_used_raw_bytes')),
    pools: list(field(answer, 'pools')).map((pool) => {
      const held = field(pool, 'stats');
      return {
        name: String(field(pool, 'name')),
        id: Number(field(pool, 'id')),
        storedBytes: big(field(held, 'stored')),
        usedBytes: big(field(held, 'bytes_used')),
        availableBytes: big(field(held, 'max_avail')),
        objects: big(field(held, 'objects')),
      };
    }),
  };
}

export function readHealth(answer: unknown): ClusterHealth {
  const status = String(field(answer, 'status'));
  if (status !== 'HEALTH_OK' && status !== 'HEALTH_WARN' && status !== 'HEALTH_ERR') throw strange('a health that Ceph has no word for');
  const checks = Object.entries(record(field(answer, 'checks'))).map(([code, check]) => ({
    code,
    severity: String(field(check, 'severity')),
    summary: String(field(field(check, 'summary'), 'message')),
    details: list(field(check, 'detail') ?? []).map((detail) => String(field(detail, 'message'))),
    isMuted: field(check, 'muted') === true,
  }));
  return { status, checks };
}

export function readPools(answer: unknown): readonly PoolDetail[] {
  return list(answer).map((pool) => ({
    name: String(field(pool, 'pool_name')),
    id: Number(field(pool, 'pool_id') ?? field(pool, 'pool')),
    ...(Number(field(pool, 'type')) === 3
      ? { type: 'erasure', profile: String(field(pool, 'erasure_code_profile')) }
      : { type: 'replicated' }),
    size: Number(field(pool, 'size')),
    minSize: Number(field(pool, 'min_size')),
    pgs: Number(field(pool, 'pg_num')),
    crushRule: Number(field(pool, 'crush_rule')),
    flags: String(field(pool, 'flags_names') ?? '')
      .split(',')
      .filter((flag) => flag !== ''),
    quotaBytes: big(field(pool, 'quota_max_bytes')),
    applications: Object.keys(record(field(pool, 'application_metadata') ?? {})),
  }));
}

function strange(what: string): RadosError {
  return new RadosError({ call: 'mon.command', errno: 74, message: `${what} in an answer of the monitors` });
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw strange('something else than an object');
  return value as Readonly<Record<string, unknown>>;
}

function list(value: unknown): readonly unknown[] {
  if (!Array.isArray(value)) throw strange('something else than a list');
  return value;
}

const field = (value: unknown, name: string): unknown => record(value)[name];

function big(value: unknown): bigint {
  if (typeof value === 'bigint') return value;
  if (typeof value !== 'number') throw strange('something else than a number');
  return BigInt(Math.trunc(value));
}
