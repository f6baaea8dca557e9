import type { CloudServices } from '../services.ts';
import type { StorageContext } from './removal.ts';
import type { Uploads } from './uploads.ts';

/** What sagas on images reach. */
export interface ImageContext extends StorageContext, Pick<CloudServices, 'imageStore' | 'settings' | 'config' | 'environment'> {
  readonly fetchUrl?: CloudServices['fetchUrl'];
  readonly openFile?: CloudServices['openFile'];
  readonly uploads: Uploads;
}
