import { Type } from 'typebox';
import { type Endpoint, type KernelServices, timestamp } from '../../kernel/index.ts';

/**
 * After a restore the store tells of yesterday, and what it calls deleted or unknown may be neither. Until an operator has confirmed the restore, nothing
 * real is removed by itself. The incarnation that was confirmed is kept in the store; a restore changes the store's own.
 */
const SETTING = 'incarnation.confirmed';

type Services = Pick<KernelServices, 'store' | 'kernel'>;

async function confirmed({ store }: Services): Promise<string | undefined> {
  const text = await store.read('setting', SETTING);
  return text === undefined ? undefined : (JSON.parse(text) as { readonly value: string }).value;
}

/** Whether reconcilers may remove late arrivals and pay debts by themselves. */
export const removalAllowed = async (services: Services): Promise<boolean> => (await confirmed(services)) === services.store.incarnation;

/** At the first start of a store there is nothing that could have been restored. */
export async function confirmFirstStart(services: Services): Promise<void> {
  if ((await confirmed(services)) === undefined)
    await services.kernel().observe([{ op: 'insert', table: 'setting', row: { name: SETTING, value: services.store.incarnation } }]);
}

const answer = Type.Object({
  confirmed: Type.Boolean({ description: 'False after a restore, until an operator confirms it; automatic removal is off meanwhile.' }),
  incarnation: Type.String({ description: 'Changes with every restore.' }),
});

export function recoveryEndpoints(services: KernelServices): readonly Endpoint[] {
  const { store, kernel, ids, environment } = services;
  const status = async () => ({ confirmed: await removalAllowed(services), incarnation: store.incarnation });
  return [
    {
      type: 'value',
      method: 'GET',
      path: '/recovery',
      summary: 'Tells whether the store was restored and waits for an operator.',
      permission: 'recovery.read',
      answer,
      handle: status,
    },
    {
      type: 'value',
      method: 'POST',
      path: '/recovery/confirm',
      summary: 'Confirms a restore: strays have been looked through, and what the store calls deleted may be removed again.',
      permission: 'recovery.confirm',
      answer,
      handle: async ({ principal }) => {
        const entry = { id: ids.mint('audit'), at: timestamp(environment.clock), actor: principal.actor, action: 'recovery.confirm' };
        await kernel().observe([
          { op: 'remove', table: 'setting', key: SETTING },
          { op: 'insert', table: 'setting', row: { name: SETTING, value: store.incarnation } },
          { op: 'insert', table: 'audit', row: entry },
        ]);
        return status();
      },
    },
  ];
}
