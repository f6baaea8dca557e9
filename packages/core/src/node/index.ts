export { backups } from './backups.ts';
export { nextTurn, nodeEnvironment } from './environment.ts';
export { fetchUrl } from './fetch-url.ts';
export { directoryImageStore } from './image-store.ts';
export { argon2Passwords } from './passwords.ts';
export { postUrl } from './post-url.ts';
export { cloudIdOf, loadSealKey } from './seal-key.ts';
