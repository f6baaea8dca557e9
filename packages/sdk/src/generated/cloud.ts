import { BaseCloud, type ConnectOptions, type Embedded, type Operation } from '../runtime.ts';
export interface CloudRows { readonly operation: Operation }
export class Cloud extends BaseCloud<CloudRows> {}
export const connect = (target: ConnectOptions | Embedded): Cloud => new Cloud(target);
