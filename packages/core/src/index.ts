export * from './cloud/index.ts';
export { type Cloud, type CloudRequest, type CreateCloudOptions, createCloud } from './create-cloud.ts';
