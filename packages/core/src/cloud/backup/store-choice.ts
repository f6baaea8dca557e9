import { CloudError, equals, type Reader, type RowOf } from '../../kernel/index.ts';
import { backupStore } from './backup-store.ts';

/** The store that was asked for, or the first that takes backups. @throws CloudError not_found, conflict */
export async function storeFor(reader: Reader, storeId: string | undefined): Promise<RowOf<typeof backupStore>> {
  if (storeId !== undefined) {
    const row = await reader.get(backupStore, storeId, '/storeId');
    if (row.state !== 'available')
      throw new CloudError('conflict', `Backup store ${row.name} is ${row.state}.`, { pointer: '/storeId', params: { state: row.state } });
    return row;
  }
  const [first] = await reader.list(backupStore, equals('state', 'available'), { limit: 1 });
  if (first === undefined)
    throw new CloudError('conflict', 'There is no backup store that takes backups; an operator registers one.', { pointer: '/storeId' });
  return first;
}
