export { type HeaderWrite, LUKS_HEADER_BYTES, LuksError, LuksHeader } from './header.ts';
export type { RandomBytes } from './key-material.ts';
export { LUKS_SECTOR_BYTES, LuksSectors } from './sectors.ts';
