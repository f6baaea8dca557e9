export * from './links.ts';
export * from './schema.ts';
export * from './server.ts';
