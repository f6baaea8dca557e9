export * from './schema.ts';
export * from './server.ts';
