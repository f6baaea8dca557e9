import { Type } from 'typebox';
import { confirmedIncarnation, type Endpoint, type KernelServices } from '../../kernel/index.ts';

type Services = Pick<KernelServices, 'store' | 'kernel'>;

/** Whether reconcilers may remove late arrivals and pay debts by themselves. */
export const removalAllowed = async (services: Services): Promise<boolean> =>
  (await confirmedIncarnation(services.store)) === services.store.incarnation;

/** At the first start of a store there is nothing that could have been restored. */
export async function confirmFirstStart(services: Services): Promise<void> {
  if ((await confirmedIncarnation(services.store)) === undefined) await services.kernel().confirmRecovery();
}

const answer = Type.Object({
  confirmed: Type.Boolean({ description: 'False after a restore, until an operator confirms it; automatic removal is off meanwhile.' }),
  incarnation: Type.String({ description: 'Changes with every restore.' }),
});

export function recoveryEndpoints(services: KernelServices): readonly Endpoint[] {
  const { store, kernel } = services;
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
      type: 'change',
      method: 'POST',
      path: '/recovery/confirm',
      summary: 'Confirms a restore: strays have been looked through, and what the store calls deleted may be removed again.',
      permission: 'recovery.confirm',
      action: 'recovery.confirm',
      noDryRun: '`GET /v1/recovery` tells whether there is something to confirm, and the list of strays what to look through before.',
      answer,
      handle: async ({ begin }) => {
        await kernel().confirmRecovery(begin);
        return status();
      },
    },
  ];
}
