export { type HeaderWrite, LUKS_HEADER_BYTES, LuksError, LuksHeader } from './header.ts';
export type { RandomBytes } from './key-material.ts';
