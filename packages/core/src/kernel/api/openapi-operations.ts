import type { TObject, TSchema } from 'typebox';
import type { Endpoint } from '../endpoint.ts';
import type { Json, JsonObject } from '../json.ts';
import { operation } from '../operation.ts';
import { DRY_RUN } from './dry-run.ts';
import { LIMIT_MAX } from './list-query.ts';
import { inputName, OPERATION_NOW, plain } from './openapi-components.ts';
import { describeList, describeQuery } from './openapi-lists.ts';
import {
  allProjectsParameter,
  content,
  type Described,
  headerParameter,
  json,
  limitParameter,
  queryParameter,
  reference,
  schemaName,
} from './openapi-parameters.ts';
import { problemsOf } from './openapi-problems.ts';
import type { Route } from './routes.ts';

/** The document's entry for one route. */
export function operationObject(route: Route): JsonObject {
  const described = describe(route);
  const { parameters = [], extensions = {}, ...rest } = described;
  const inPath = [...route.path.matchAll(/\{([^}]+)\}/g)].map(([, name]) => pathParameter(name ?? ''));
  const all = [...inPath, ...parameters];
  return {
    operationId: route.operationId,
    tags: [route.operationId.slice(0, route.operationId.indexOf('.'))],
    ...rest,
    ...(all.length === 0 ? {} : { parameters: all }),
    responses: { ...described.responses, ...problemsOf(route) },
    ...(route.permission === 'none' ? { security: [{}, { apiKey: [] }] } : {}),
    'x-pileus-permission': route.permission,
    ...extensions,
  };
}

function describe(route: Route): Described {
  switch (route.type) {
    case 'list':
      return describeList(route);
    case 'query':
      return describeQuery(route);
    case 'get':
      return describeGet(route);
    case 'action':
      return describeAction(route);
    case 'deletion':
      return {
        summary: `Answers what deleting the ${route.action.kind.name} would do now: what goes, what is let go of, what is in the way. Changes nothing.`,
        parameters: [
          queryParameter('force', { type: 'boolean', default: false }, 'As for the deletion.'),
          queryParameter('permanent', { type: 'boolean', default: false }, 'As for the deletion.'),
          queryParameter('recursive', { type: 'boolean', default: false }, 'As for the deletion.'),
          queryParameter(
            'limit',
            { type: 'integer', minimum: 0, maximum: LIMIT_MAX, default: 100 },
            'Rows shown of each; all are counted.',
          ),
        ],
        responses: { 200: json('With its plan.', reference('DeletionPreview')) },
        extensions: { 'x-pileus-type': 'deletion' },
      };
    case 'steer':
      return {
        summary: STEER_SUMMARIES[route.verb],
        parameters: [keyParameter()],
        responses: { 200: json('The operation as it is now.', reference('Operation')) },
      };
    case 'events':
      return {
        summary: 'Streams changes as server-sent events, from a cursor or from now on.',
        parameters: [...feedParameters, headerParameter('Last-Event-ID', 'Cursor to resume behind; goes before `after`.')],
        responses: {
          200: { description: '`id` is the cursor, `event` the type.', content: { 'text/event-stream': { schema: { type: 'string' } } } },
        },
        extensions: { 'x-pileus-type': 'events' },
      };
    case 'changes':
      return {
        summary: 'Answers the changes behind a cursor, waiting for the first if asked to; without a cursor the one of now.',
        parameters: [...feedParameters, limitParameter(100), waitParameter],
        responses: { 200: json('Changes, oldest first.', reference('ChangeList')) },
      };
    case 'document':
      return {
        summary: 'This document.',
        parameters: [headerParameter('If-None-Match', 'The ETag that is known already.')],
        responses: { 200: json('OpenAPI 3.1.', { type: 'object' }), 304: { description: 'It is as the ETag says.' } },
      };
    case 'endpoint':
      return describeEndpoint(route.endpoint);
  }
}

function describeGet({ kind }: Route & { type: 'get' }): Described {
  return {
    summary: `Answers one ${kind.name}.`,
    parameters: [
      kind === operation
        ? waitParameter
        : queryParameter('deleted', { type: 'boolean', default: false }, 'Also when it is deleted (by id).'),
      headerParameter('If-None-Match', 'The ETag that is known already.'),
    ],
    responses: {
      200: {
        ...json('The row.', reference(kind === operation ? OPERATION_NOW : schemaName(kind))),
        headers: { ETag: { schema: { type: 'string' }, description: 'The generation; of an operation that waits more after it.' } },
      },
      304: { description: 'It is as the ETag says.' },
    },
  };
}

function describeAction({ action, input }: Route & { type: 'action' }): Described {
  const name = inputName(action);
  const required = ((action.input.required ?? []) as readonly string[]).length > 0;
  return {
    summary: action.description,
    parameters: [
      keyParameter(),
      headerParameter('Prefer', '`wait=N` (seconds, at most 60) waits for the end of the operation.'),
      headerParameter(
        'X-Callback-Url',
        'Is sent how the operation ended, as a signed CloudEvent. Only URLs that the configuration of the server allows.',
      ),
      ...(action.target === 'resource' ? [headerParameter('If-Match', 'The ETag that it must still have.')] : []),
      ...(input === 'query' ? fieldParameters(action.input) : []),
      dryRunParameter,
    ],
    ...(input === 'query' || name === undefined
      ? {}
      : {
          requestBody: {
            required,
            content: Object.fromEntries(mediaTypes(action.verb).map((type) => [type, { schema: reference(name) }])),
          },
        }),
    responses: {
      200: {
        description: 'Accepted and ended, when the caller preferred to wait; or with `dryRun` what it would do.',
        content: content({ anyOf: [reference('AcceptedAndEnded'), reference('DryRun')] }),
        headers: LOCATION,
      },
      202: accepted('Accepted: it will end, whatever happens.', 'Accepted'),
    },
    extensions: {
      'x-pileus-action': action.name,
      ...(action.makes.length === 0 ? {} : { 'x-pileus-makes': action.makes.map(({ name }) => name) }),
    },
  };
}

const dryRunParameter = queryParameter(
  DRY_RUN,
  { type: 'boolean', default: false },
  'Answers what the request would do, without doing it; what stands in its way is in `blockers`. Keeps no Idempotency-Key.',
);

const mediaTypes = (verb: string): readonly string[] =>
  verb === 'update' ? ['application/merge-patch+json', 'application/json'] : ['application/json'];

function describeEndpoint(endpoint: Endpoint): Described {
  const parameters = endpoint.query === undefined ? [] : fieldParameters(endpoint.query);
  const common = { summary: endpoint.summary, ...(parameters.length === 0 ? {} : { parameters }) };
  const extensions = { 'x-pileus-type': endpoint.type };
  const bytes: JsonObject = { 'application/octet-stream': {} };
  switch (endpoint.type) {
    case 'value':
      return { ...common, ...bodyOf(endpoint), responses: { 200: json('The answer.', plain(endpoint.answer)) } };
    case 'change': {
      const rehearses = endpoint.noDryRun === undefined;
      const answer = plain(endpoint.answer);
      return {
        ...common,
        parameters: [...parameters, keyParameter(endpoint.isOneTime), ...(rehearses ? [dryRunParameter] : [])],
        ...bodyOf(endpoint),
        responses: {
          200: rehearses
            ? json('The answer, or with `dryRun` what it would do.', { anyOf: [answer, reference('DryRun')] })
            : json('The answer.', answer),
        },
      };
    }
    case 'upload':
      return {
        ...common,
        parameters: [
          ...parameters,
          keyParameter(),
          headerParameter('Repr-Digest', '`sha-256=:…:` of the content, checked before anything is kept.'),
          ...(endpoint.isResumable === true
            ? [headerParameter('Content-Range', '`bytes FIRST-LAST/SIZE`: goes on with an upload that broke off.')]
            : []),
        ],
        requestBody: { required: true, content: bytes },
        responses: { 200: json('Stored.', plain(endpoint.answer)) },
        extensions,
      };
    case 'download':
      return {
        ...common,
        parameters: [
          ...parameters,
          headerParameter('Range', 'One range of bytes.'),
          headerParameter('If-Range', 'An ETag: the range, if the content still has it, else the whole.'),
        ],
        responses: { 200: { description: 'The content.', content: bytes }, 206: { description: 'The range.', content: bytes } },
        extensions,
      };
    case 'socket':
      return { ...common, responses: { 101: { description: 'A WebSocket of binary messages.' } }, extensions };
  }
}

const bodyOf = ({ body }: { readonly body?: TObject }): Pick<Described, 'requestBody'> =>
  body === undefined ? {} : { requestBody: { required: true, content: content(plain(body)) } };

const LOCATION: JsonObject = { Location: { schema: { type: 'string' }, description: 'The operation.' } };

const accepted = (description: string, schema: string): JsonObject => ({
  ...json(description, reference(schema)),
  headers: LOCATION,
});

const pathParameter = (name: string): JsonObject => ({ name, in: 'path', required: true, schema: { type: 'string' } });

const keyParameter = (isOneTime = false): JsonObject =>
  headerParameter(
    'Idempotency-Key',
    isOneTime
      ? 'Another request with the same key is refused; a repeat gets another answer.'
      : 'Makes the request repeatable for 24 hours.',
    { minLength: 1, maxLength: 128 },
  );

const waitParameter = queryParameter('waitSeconds', { type: 'integer', minimum: 0, maximum: 60, default: 0 }, 'How long to wait for news.');

const feedParameters = [
  queryParameter('after', { type: 'string', pattern: '^\\d+\\.\\d+(\\.[0-9a-f]+)?$' }, 'Cursor to go on behind; without one, from now on.'),
  queryParameter('kinds', { type: 'string' }, 'Kinds to tell of, separated by commas. Default: all.'),
  allProjectsParameter,
];

const STEER_SUMMARIES = {
  cancel: 'Asks the operation to unwind.',
  retry: 'Has an operation that needs attention try its step again at once.',
  skip: 'Has an operation that needs attention leave its step undone and go on.',
};

/** The fields of an input that comes as query parameters. */
function fieldParameters(input: TObject): readonly JsonObject[] {
  const required = (input.required ?? []) as readonly string[];
  return Object.entries(input.properties as Record<string, TSchema>).map(([name, schema]) => {
    const { description = '', ...rest } = plain(schema) as { description?: string } & Record<string, Json>;
    return queryParameter(name, rest, description, required.includes(name));
  });
}
