import { CloudError, isCloudError, sleep } from '../../kernel/index.ts';
import type { Call, PortReadiness } from '../../strategy/index.ts';
import { atRest } from '../patient-call.ts';
import type { CloudServices } from '../services.ts';
import { network } from './network.ts';

type Context = Pick<CloudServices, 'fabrics' | 'reader' | 'environment' | 'rest'>;

/** Flows are on a host in well under a second; a host that comes back has many of them to fetch first. */
const READY_MS = 45_000;
const CALL_TIMEOUT_MS = 5000;
const PAUSE_MS = { first: 10, last: 500 };

/**
 * Waits until machines that run reach, and are reached, by these NICs: until their hosts' switches have all flows. Where the driver cannot tell it is so at once.
 * @throws CloudError timeout, saying what is waited for
 */
export async function portsReady(
  ctx: Context,
  ports: readonly { readonly nicId: string; readonly networkId: string }[],
  call: Call,
): Promise<void> {
  if (!ctx.fabrics.tellReadiness) return;
  const untilMs = ctx.environment.clock.monotonicMs() + Math.min(READY_MS, call.timeoutMs);
  await atRest(ctx, call, () => Promise.all(ports.map((port) => portReady(ctx, port, call, untilMs))));
}

async function portReady(
  { fabrics, reader, environment: { clock, timers } }: Context,
  { nicId, networkId }: { readonly nicId: string; readonly networkId: string },
  call: Call,
  untilMs: number,
): Promise<void> {
  const row = await reader.get(network, networkId);
  if (row.vpcId === undefined && row.physicalNetworkId === undefined) return;
  const fabric = await fabrics.of(row);
  for (let pauseMs = PAUSE_MS.first; ; pauseMs = Math.min(2 * pauseMs, PAUSE_MS.last)) {
    const seen = await fabric.portReadiness(nicId, { ...call, timeoutMs: CALL_TIMEOUT_MS }).catch(unanswered);
    if (seen === undefined || seen.state === 'ready') return;
    if (clock.monotonicMs() >= untilMs) throw notReady(nicId, seen);
    await sleep(timers, pauseMs, call.signal);
  }
}

/** Whoever does not answer now may answer in a while. */
function unanswered(error: unknown): PortReadiness {
  if (isCloudError(error) && (error.code === 'unavailable' || error.code === 'timeout'))
    return { state: 'waiting', waitsFor: error.publicMessage };
  throw error;
}

const notReady = (nicId: string, { state, host, waitsFor }: PortReadiness): CloudError =>
  new CloudError(
    'timeout',
    `The port of NIC ${nicId} is not ready: it ${waitsFor === undefined ? `is ${state}` : `waits for ${waitsFor}`}.`,
    {
      params: { nicId, state, host: host ?? null },
    },
  );
