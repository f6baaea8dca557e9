import type { CloudServices } from '../services.ts';
import type { ContentFacts } from './image-store.ts';
import type { StorageContext } from './removal.ts';

/** What sagas on images reach. */
export interface ImageContext extends StorageContext, Pick<CloudServices, 'imageStore' | 'settings'> {
  readonly fetchUrl?: CloudServices['fetchUrl'];
  readonly uploads: Uploads;
}

/** Uploads at work on this node, and what was measured of those whose content is in the store but not yet on the row. */
export class Uploads {
  readonly #underWay = new Set<string>();
  readonly #measured = new Map<string, ContentFacts>();

  /** False when another upload of the same image is at work. */
  begin(imageId: string): boolean {
    if (this.#underWay.has(imageId)) return false;
    this.#underWay.add(imageId);
    return true;
  }
  end(imageId: string): void {
    this.#underWay.delete(imageId);
    this.#measured.delete(imageId);
  }
  has(imageId: string): boolean {
    return this.#underWay.has(imageId);
  }
  measure(imageId: string, facts: ContentFacts): void {
    this.#measured.set(imageId, facts);
  }
  measured(imageId: string): ContentFacts | undefined {
    return this.#measured.get(imageId);
  }
}
