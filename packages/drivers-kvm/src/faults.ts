import { LuksError } from '@pileus/core/luks';
import type { Fault } from '@pileus/core/strategy';
import { DriverError } from './driver-error.ts';
import { type ErrorCode, LibvirtError, UnansweredError } from './libvirt/index.ts';

type CodeName = keyof typeof ErrorCode;

const FAULTS: Readonly<Partial<Record<Fault, readonly CodeName[]>>> = {
  not_found: ['noDomain', 'noCheckpoint', 'noBackup', 'noNetwork', 'noStoragePool', 'noStorageVolume', 'deviceMissing'],
  conflict: [
    'domainExists',
    'networkExists',
    'storageVolumeExists',
    'operationInvalid',
    'resourceBusy',
    'blockCopyActive',
    'noSecret',
    'operationAborted',
  ],
  invalid: ['xmlError', 'invalidArgument', 'xmlInvalidSchema', 'overflow'],
  unsupported: ['noSupport', 'configUnsupported', 'operationUnsupported', 'argumentUnsupported', 'osType', 'cpuIncompatible'],
  // A time-out that libvirt itself reports is one of waiting for its turn: nothing was begun.
  unavailable: ['noConnect', 'noServer', 'rpc', 'operationTimeout', 'agentUnresponsive', 'agentUnsynced'],
};

/** What an error of this driver, its client or anything else means to the caller. Never throws, whatever it is given. */
export function classify(error: unknown): Fault {
  try {
    if (error instanceof DriverError || error instanceof LuksError) return error.fault;
    if (error instanceof UnansweredError) return error.outcome === 'unknown' ? 'unknown_outcome' : 'unavailable';
    if (error instanceof LibvirtError) return classifyAnswer(error);
  } catch {
    // A thrown value may refuse even to be looked at.
  }
  return 'internal';
}

/** What libvirt has no code of its own for. Its texts are not translated for a service, and name the part of the host that is full or missing. */
const TEXTS: readonly (readonly [RegExp, Fault])[] = [
  [/No space left on device|Cannot allocate memory|insufficient free space/i, 'exhausted'],
  // A pool whose disks do not answer is stopped by libvirt, until it is started again.
  [
    /storage pool .* is not active|cannot find (?:logical volume group|any matching source)|Volume group "[^"]*" not found|Cannot process volume group/,
    'unavailable',
  ],
  [/Logical volume \S+ (?:is )?in use|open logical volume/, 'conflict'],
  // A folder that another pool has, or that the host cannot make.
  [/Storage source conflict with pool|failed to create directory/, 'conflict'],
  [/Invalid password, cannot unlock any keyslot/, 'conflict'],
  // One host calls another.
  [/Failed to connect to remote libvirt URI|unable to connect to server at/, 'unavailable'],
  [/cgroup .* is not mounted|Child process \(tc |Unable to find any firmware/, 'unsupported'],
];

function classifyAnswer(error: LibvirtError): Fault {
  const text = TEXTS.find(([pattern]) => pattern.test(error.message));
  if (text !== undefined) return text[1];
  const match = Object.entries(FAULTS).find(([, names]) => error.is(...names));
  return (match?.[0] as Fault | undefined) ?? 'internal';
}

/** Runs `act`; what libvirt refuses with one of `names` is handed to `otherwise` instead. */
export async function except<T>(
  names: readonly CodeName[],
  act: () => Promise<T>,
  otherwise: (error: LibvirtError) => T | Promise<T>,
): Promise<T> {
  try {
    return await act();
  } catch (error) {
    if (error instanceof LibvirtError && error.is(...names)) return otherwise(error);
    throw error;
  }
}
