import type { Domain, Network, StoragePool } from './generated/types.ts';

/** Addresses a domain by UUID, which is all that libvirtd looks at; the name only appears in its error messages. */
export function domainRef(uuid: string, name = uuid): Domain {
  return { name, uuid, id: -1 };
}

/** Addresses a storage pool by UUID. (Volumes are addressed by the names of their pool and themselves.) */
export function poolRef(uuid: string, name = uuid): StoragePool {
  return { name, uuid };
}

/** Addresses a network by UUID. */
export function networkRef(uuid: string, name = uuid): Network {
  return { name, uuid };
}
