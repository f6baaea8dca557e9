import { type TObject, Type } from 'typebox';
import { type AnyKind, create, defineKind, resourceName, updateAction } from '../../kernel/index.ts';
import { given, nameOr } from '../naming.ts';
import { rowDeletion } from '../row-only.ts';
import type { Roles } from './roles.ts';
import { creation, moveAtOnce } from './row-verbs.ts';

const description = Type.Optional(Type.String({ maxLength: 1024 }));
const email = Type.Optional(Type.String({ maxLength: 254, pattern: '^[^@\\s]+@[^@\\s]+$' }));

const states = {
  enabled: ['disabled', 'deleting'],
  disabled: ['enabled', 'deleting'],
  deleting: ['enabled', 'disabled', 'deleted'],
} as const;

export const user = defineKind({
  name: 'user',
  plural: 'users',
  description: 'A person of an account. Signs in with a password, or as whom an identity provider says it is.',
  scope: 'account',
  schema: Type.Object({
    description,
    email,
    externalId: Type.Optional(
      Type.String({ maxLength: 512, description: 'Who it is at an identity provider: the name of the provider, a colon, its id there.' }),
    ),
  }),
  states,
  initial: 'enabled',
  indexed: ['email'],
  unique: [['accountId', 'externalId']],
});

export const serviceAccount = defineKind({
  name: 'serviceAccount',
  plural: 'service-accounts',
  description: 'A program of an account. It has API keys and no password.',
  scope: 'account',
  schema: Type.Object({ description }),
  states,
  initial: 'enabled',
});

/** Who is disabled is let in no more from the answer on. */
const switching = (kind: AnyKind, who: string) => [
  moveAtOnce(kind, 'disable', { description: `Lets the ${who} in no more.`, input: Type.Object({}), from: ['enabled'], to: 'disabled' }),
  moveAtOnce(kind, 'enable', { description: `Lets the ${who} in again.`, input: Type.Object({}), from: ['disabled'], to: 'enabled' }),
];

export const userActions = (roles: Roles) => [
  creation(user, {
    description: 'Makes a user. The password is set apart from it.',
    input: Type.Object({ name: resourceName(), description, email, externalId: user.schema.properties.externalId }) as TObject,
    rows: ({ id, input, principal: { accountId } }) => [
      create(user, { ...given(input), id, accountId, name: (input as { name: string }).name }),
    ],
  }),
  updateAction(user, ['description', 'email', 'externalId'], async ({ id, input, principal }) => {
    // Whom a provider then vouches for signs in as this one.
    if ('externalId' in (input as object)) await roles.assertCovered(principal, { subjectId: id });
  }),
  ...switching(user, 'user'),
];

export const serviceAccountActions = [
  creation(serviceAccount, {
    description: 'Makes a service account.',
    input: Type.Object({ name: Type.Optional(resourceName()), description }),
    rows: ({ id, input, principal: { accountId } }) => [
      create(serviceAccount, { ...given(input), id, accountId, name: nameOr(input.name, serviceAccount, id) }),
    ],
  }),
  updateAction(serviceAccount, ['description']),
  ...switching(serviceAccount, 'service account'),
];

export const serviceAccountDeletion = rowDeletion(serviceAccount, ['enabled', 'disabled']);
