import { type Static, type TObject, Type } from 'typebox';
import { compileInput, type Id, resourceName } from '../../kernel/index.ts';
import { nic } from '../network/contract.ts';
import { volume } from '../storage/contract.ts';
import type { InstanceRow, NicRow, VolumeRow } from './context.ts';
import { instance } from './instance.ts';

/**
 * What a machine carries of its rows, so that it can be adopted by a store that was restored from before it was made. No secrets: user data is not in it. What
 * the host shows itself (size, power, what is plugged in) is believed where the two differ, since plugging does not change the record.
 */
const VERSION = 1;
/** By the contract of hypervisor drivers. */
const LENGTH_MAX = 32_768;

const common = {
  projectId: Type.Unsafe<Id<'project'>>({ type: 'string', format: 'uuid' }),
  name: resourceName(),
};
const id = <K extends string>() => Type.Unsafe<Id<K>>({ type: 'string', format: 'uuid' });

const instancePart = Type.Object({
  ...common,
  ...Type.Omit(instance.schema, [
    ...(['hostId', 'migratingToHostId', 'placementGroupId', 'placementDomain'] as const),
    ...(['vcpus', 'memoryBytes', 'userData', 'desiredPower', 'isoImageId'] as const),
  ]).properties,
});
const volumePart = Type.Object({
  ...common,
  id: id<'volume'>(),
  ...Type.Omit(volume.schema, [
    ...(['poolId', 'movingToPoolId', 'leftPoolId', 'sizeBytes', 'instanceId', 'snapshotId', 'currentSnapshotId'] as const),
    ...(['encrypted', 'encryptionKey', 'otherKey'] as const),
  ]).properties,
});
const nicPart = Type.Object({ ...common, id: id<'nic'>(), ...Type.Omit(nic.schema, ['instanceId']).properties });

const schema = Type.Object({
  version: Type.Literal(VERSION),
  instance: instancePart,
  volumes: Type.Array(volumePart),
  nics: Type.Array(nicPart),
});
const check = compileInput(schema);

export type MachineRecord = Static<typeof schema>;

/** The same for the same rows, so that defining a machine again changes nothing. */
export function writeRecord(
  row: InstanceRow,
  volumes: readonly { readonly row: VolumeRow; readonly slot: number }[],
  nics: readonly NicRow[],
): string {
  const whole = {
    version: VERSION,
    instance: pick(instancePart, row),
    volumes: volumes.map((entry) => pick(volumePart, { ...entry.row, slot: entry.slot })),
    nics: nics.map((entry) => pick(nicPart, entry)),
  };
  const text = printable(whole);
  return text.length <= LENGTH_MAX ? text : printable(withoutBulk(whole));
}

/** The record, or undefined for a text that is none, or one of another release. */
export function readRecord(text: string | undefined): MachineRecord | undefined {
  if (text === undefined) return undefined;
  try {
    const record: unknown = JSON.parse(text);
    check.assert(record);
    return record as MachineRecord;
  } catch {
    return undefined;
  }
}

function pick({ properties }: TObject, row: object): object {
  const fields = row as Readonly<Record<string, unknown>>;
  const picked: Record<string, unknown> = {};
  for (const field in fields) if (field in properties && fields[field] !== undefined) picked[field] = fields[field];
  return picked;
}

/** What may be long, and is easily given anew. */
const withoutBulk = ({ volumes, ...record }: { instance: object; volumes: readonly object[] }) => ({
  ...record,
  instance: { ...record.instance, description: undefined, sshKeys: [] },
  volumes: volumes.map((entry) => ({ ...entry, description: undefined })),
});

const printable = (value: object): string =>
  JSON.stringify(value).replaceAll(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
