import { RadosCluster } from '../rados/index.ts';
import type { PoolSettings } from './settings.ts';

/** A cluster as one user of it, until the last pool there is closed. */
export interface ClusterLink {
  readonly cluster: RadosCluster;
  close(): Promise<void>;
}

/** The connections to clusters: pools of the same cluster and user share one. */
export class ClusterLinks {
  readonly #open = new Map<string, { readonly cluster: RadosCluster; users: number }>();

  open({ monitors, user, key }: PoolSettings): ClusterLink {
    const place = JSON.stringify([monitors, user, key]);
    const shared = this.#open.get(place) ?? { cluster: RadosCluster.open({ monitors, user, key }), users: 0 };
    this.#open.set(place, shared);
    shared.users += 1;
    let isOpen = true;
    return {
      cluster: shared.cluster,
      close: async () => {
        if (!isOpen) return;
        isOpen = false;
        shared.users -= 1;
        if (shared.users > 0) return;
        this.#open.delete(place);
        await shared.cluster.close();
      },
    };
  }
}
