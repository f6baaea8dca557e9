import {
  type Acceptance,
  type AcceptRequest,
  type CloudError,
  change,
  create,
  expectState,
  forgetSealed,
  type Id,
  isCloudError,
  type JsonObject,
  readPermission,
  type Statement,
  toldTo,
  transition,
} from '../../kernel/index.ts';
import { given } from '../naming.ts';
import { host } from '../topology/contract.ts';
import type { ComputeServices } from './context.ts';
import { instance } from './instance.ts';
import {
  type CreateParams,
  type CreatePlan,
  type CreateRequest,
  instanceRow,
  makeThere,
  placeCreate,
  planCreate,
  takeBack,
} from './instance-accept.ts';
import type { InstanceInput } from './instance-input.ts';
import { instanceType } from './instance-type.ts';

/** What machines that find no room wait for. */
export const CAPACITY = 'capacity';

/** A machine that waits for room has its row, its name and its quota, and nothing else yet. */
export interface WaitingParams {
  readonly instanceId: Id<'instance'>;
  /** As it was asked for, with its type by id. */
  readonly input: Omit<InstanceInput, 'userData'>;
  readonly owner: { readonly projectId: Id<'project'>; readonly accountId: Id<'account'> };
  /** Reference to what is sealed. */
  readonly userData?: string;
  readonly namesHosts?: true;
}

const isWaiting = (params: CreateParams | WaitingParams): params is WaitingParams => 'owner' in params;

/** Everything about a new machine: its place, disks, addresses; or its place in the waiting room. @throws CloudError with the field at fault */
export async function acceptCreate(services: ComputeServices, request: CreateRequest): Promise<Acceptance<CreateParams>> {
  const { input } = request;
  const plan = await planCreate(services, request);
  const placed = await placeCreate(services, request, plan).catch((error: unknown) => {
    if (input.whenFull === 'wait' && isCloudError(error) && error.code === 'no_capacity') return error;
    throw error;
  });
  const namesHosts = request.principal.allows(readPermission(host)) || undefined;
  const sealed = input.userData === undefined ? undefined : await request.seal(input.userData);
  const made =
    placed instanceof Error
      ? waits(request, { plan, why: toldTo(request.principal, placed), userData: sealed?.reference, namesHosts })
      : await makeThere(services, request, { plan, placed, userData: sealed?.reference, namesHosts }, (row) => create(instance, row));
  return { ...made, statements: [...made.statements, ...(sealed === undefined ? [] : [sealed.statement])] };
}

interface Unplaced {
  readonly plan: CreatePlan;
  readonly why: CloudError;
  readonly userData: string | undefined;
  readonly namesHosts: true | undefined;
}

function waits(request: CreateRequest, { plan, why: { publicMessage, params }, userData, namesHosts }: Unplaced) {
  const { id, principal } = request;
  const { userData: _, ...input } = request.input;
  const { projectId, accountId } = principal;
  const waiting: WaitingParams = {
    instanceId: id,
    input: { ...input, instanceType: plan.type.id },
    owner: { projectId, accountId },
    ...given({ userData, namesHosts }),
  };
  return {
    // The steps never see these: they begin with what `takeUp` decides.
    params: waiting as unknown as CreateParams,
    statements: [
      create(instance, { ...instanceRow(request, plan, userData), waitsFor: CAPACITY }),
      expectState(instanceType, plan.type.id, ['available']),
    ],
    keys: [...plan.existing.volumes],
    waitsFor: CAPACITY,
    notes: { placement: { waiting: publicMessage, ...params } } as JsonObject,
  };
}

/** Row changes that end a creation, wherever it was. */
export function takeBackCreate(params: CreateParams | WaitingParams): readonly Statement[] {
  if (!isWaiting(params)) return takeBack(params, true);
  return [
    transition(instance, params.instanceId, { from: 'creating', to: 'deleted', set: { waitsFor: null } }),
    ...(params.userData === undefined ? [] : [forgetSealed(params.userData)]),
  ];
}

/** What makes a machine that has waited, if there is room for it now. @throws CloudError no_capacity, or why it cannot be made any more */
export async function takeUpCreate(services: ComputeServices, params: WaitingParams, attempt: number): Promise<Acceptance<CreateParams>> {
  const { instanceId: id, input, owner, userData, namesHosts } = params;
  const request: AcceptRequest<typeof instance, InstanceInput> = {
    id,
    input,
    projectId: owner.projectId,
    principal: { actor: 'system', ...owner, allows: () => true },
    reader: services.reader,
    mint: (kind) => services.ids.mint(kind),
    seal: (value) => services.secrets.seal(value),
    attempt,
    rehearses: false,
  };
  const plan = await planCreate(services, request);
  const placed = await placeCreate(services, request, plan);
  return makeThere(services, request, { plan, placed, userData, namesHosts }, ({ hostId, placementDomain }) =>
    change(instance, id, { hostId, waitsFor: null, ...given({ placementDomain }) }, { state: 'creating', hostId: null }),
  );
}
