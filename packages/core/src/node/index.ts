export { type AgentLinkOptions, agentLink } from './agent-link.ts';
export { directoryBackups } from './backup-directory.ts';
export { backups } from './backups.ts';
export { threadedCipher } from './bulk-cipher.ts';
export { nextTurn, nodeEnvironment } from './environment.ts';
export { fetchUrl } from './fetch-url.ts';
export { directoryImageStore } from './image-store.ts';
export { openFile } from './open-file.ts';
export { argon2Passwords } from './passwords.ts';
export {
  type Exchange,
  exchange,
  fingerprintOf,
  type Identity,
  normalFingerprint,
  PinnedConnections,
  peerFingerprint,
  WrongIdentity,
} from './pinned.ts';
export { postUrl } from './post-url.ts';
export { cloudIdOf, loadSealKey, replaceSealKey } from './seal-key.ts';
export { identityOf, refuseOtherKey, type StoreKey } from './store-key.ts';
