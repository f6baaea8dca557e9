import type { KernelServices } from '../../kernel/index.ts';
import type { UsedVolumeContext } from '../storage/contract.ts';
import type { AsideRoom } from './aside-room.ts';
import type { Collector } from './collector.ts';
import type { BackupStores } from './stores.ts';

/** What sagas on backups reach. */
export interface BackupContext extends UsedVolumeContext, Pick<KernelServices, 'environment' | 'secrets'> {
  readonly stores: BackupStores;
  readonly collector: Pick<Collector, 'kick'>;
  readonly asideRoom: AsideRoom;
}

/** A volume of terabytes takes its time; a cancel ends it at once. */
export const TRANSFER_TIMEOUT_MS = 48 * 3600_000;
