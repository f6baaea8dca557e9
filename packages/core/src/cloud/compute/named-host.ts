import { nameable, type Principal, type Reader, type RowOf } from '../../kernel/index.ts';
import { host } from '../topology/contract.ts';
import { instance } from './instance.ts';

/** The host that a request names: for who sees no hosts, one that has a machine of his. @throws CloudError not_found at `/hostId` */
export const namedHost = (reader: Reader, principal: Principal, hostId: string): Promise<RowOf<typeof host>> =>
  nameable(reader, host, hostId, principal, { pointer: '/hostId', toldBy: [{ kind: instance, field: 'hostId' }] });
