import { SimError } from './fault.ts';
import type { SimPool } from './pool.ts';
import type { SimStored } from './stored.ts';

export function marked(pool: SimPool, volumeId: string): SimStored {
  const volume = pool.find('volume', volumeId);
  if (volume === undefined) throw new SimError('not_found', `no volume ${volumeId} in the pool`);
  return volume;
}

/** False of one of several machines, as of the raw files that these are: they have no room for a mark. */
export function setMark(pool: SimPool, volumeId: string, word: string): boolean {
  const volume = marked(pool, volumeId);
  if (!/^[0-9a-f]{15}$/.test(word)) throw new SimError('invalid', `${word} is no mark`);
  const user = volume.user ?? [...volume.clients][0];
  if (user !== undefined) throw new SimError('conflict', `volume ${volumeId} is in use by ${user}`);
  if (volume.shared !== undefined) return false;
  volume.mark = word;
  return true;
}
