export * from './generated/cloud.ts';
export * from './runtime.ts';
