/** What other modules may know of compute. */
export { instance, isMade } from './instance.ts';
export { instanceType, newestType } from './instance-type.ts';
export { namedHost } from './named-host.ts';
