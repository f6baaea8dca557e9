import type { HypervisorDriver } from '@pileus/core/strategy';
import { Deadline } from '../deadline.ts';
import type { HostLink } from '../host-links.ts';
import { deleteSecret, putSecret } from '../secrets.ts';

/** Keys of Ceph users, which disks of type `rbd` name by their usage, and passphrases of encrypted disks. */
export function secretVerbs(link: HostLink): NonNullable<HypervisorDriver['secrets']> {
  return {
    put: (ref, value, call, use = 'ceph') => putSecret(link.host.api, { ref, value, use }, new Deadline(call)),
    delete: (ref, call) => deleteSecret(link.host.api, ref, new Deadline(call)),
  };
}
