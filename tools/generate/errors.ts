/** Writes docs/reference/errors.md from the table of error codes. */
import { ERROR_CODES, type ErrorCode, type JsonObject, toProblem } from '@pileus/core/kernel';
import { output } from './outputs.ts';

const RETRIES = {
  never: 'no: the same request fails again',
  same_request: 'yes: the same request may succeed later',
  after_state_change: 'when something has changed',
};

/** What to do, and what an answer looks like: of each code, or this does not compile. */
const PAGES: Record<
  ErrorCode,
  { readonly todo: string; readonly detail: string; readonly pointer?: string; readonly params?: JsonObject }
> = {
  invalid_input: {
    todo: 'Correct the field that `pointer` names: `detail` says what would do. Nothing was read and ignored, and nothing was changed.',
    detail: 'The field /sizeBytes must be a multiple of 512.',
    pointer: '/sizeBytes',
  },
  needs_index: {
    todo: 'Ask for something that has an index, too: the [kinds](README.md#kinds) name their indexed fields. An operator may raise `limits.unindexedRows`.',
    detail:
      'This would look at more than 20000 rows one by one for these volumes: there is no index of description. Ask for something that has one, too.',
    params: { fields: ['description'] },
  },
  unauthenticated: {
    todo: 'Send `Authorization: Bearer pil_…`. A key that worked was revoked, rotated or has run out, or is of another cloud.',
    detail: 'This API key is unknown.',
  },
  permission_denied: {
    todo: 'Ask an administrator for a role with the permission in `params.permission`; `POST /v1/access/explain` tells which would do.',
    detail: 'This key lacks the permission instance.start.',
    params: { permission: 'instance.start' },
  },
  not_found: {
    todo: 'Check the id or name, and the project that the request works in (`X-Pileus-Project`): what the key does not reach is not there for it.',
    detail: 'No instance web-7.',
  },
  method_not_allowed: {
    todo: 'Use one of the methods in the header `Allow`.',
    detail: 'This path takes GET, PATCH, DELETE.',
    params: { allow: ['GET', 'PATCH', 'DELETE'] },
  },
  conflict: {
    todo: 'Bring the resource into a state that allows it: `params.allowed` lists those. With an operation at work on it, wait for its end.',
    detail: 'instance web-1 is stopped; suspend needs running.',
    params: { state: 'stopped', allowed: ['running'] },
  },
  name_taken: {
    todo: 'Choose another name, or look the other one up: also what is `deleting`, or lies in the trash, has its name still.',
    detail: 'Another live volume has this name.',
    pointer: '/name',
    params: { field: 'name' },
  },
  in_use: {
    todo: 'Delete or detach what `params.blockers` lists first; `GET …/deletion` shows beforehand what would go and what stops it.',
    detail: 'Still used by NIC 01997f3e-….',
  },
  plan_changed: {
    todo: 'Look at the new plan, and ask for that one, or for none.',
    detail: 'The deletion is no longer what was previewed: there is a nic more. Preview it again.',
  },
  unsupported: {
    todo: 'Do without, or choose a host, pool or network that can: `params.capability` says what is lacking.',
    detail: 'hv1 cannot open a vnc console.',
    params: { capability: 'open a vnc console' },
  },
  no_capacity: {
    todo: 'Read `params.reasons`, host by host; make room, add a host, or let the machine wait for room with `whenFull: wait`.',
    detail: 'No host can take it.',
  },
  quota_exceeded: {
    todo: 'Delete something that counts (the trash counts, too), or have an administrator raise the quota: `GET /v1/quota` tells what is in use.',
    detail: 'The quota volumes of the project is used up: 1 of 1 in use, 1 more asked for.',
    params: { counter: 'volumes' },
  },
  refused: {
    todo: 'A plugin of the operator decided so: `params.plugin` and `params.reason` name which and why. Try again when the reason is gone.',
    detail: 'Refused by maintenance-window: maintenance_window.',
    params: { plugin: 'maintenance-window', reason: 'maintenance_window' },
  },
  gone: {
    todo: 'List again and watch from the new cursor. The SDK does that by itself.',
    detail: 'Changes behind this cursor are no longer kept.',
  },
  precondition_failed: {
    todo: 'Read the resource again, decide anew, and send its new `ETag` in `If-Match`.',
    detail: 'It has generation 7 now, not 5.',
  },
  too_large: {
    todo: 'Send less: at most `params.limitBytes`. Images are uploaded to `PUT /v1/images/{id}/content`, in parts where they are large.',
    detail: 'The body is larger than 1048576 bytes.',
    params: { limitBytes: 1_048_576 },
  },
  unsupported_media_type: {
    todo: 'Set `Content-Type` to what the route takes: `application/json`, and for uploads `application/octet-stream`.',
    detail: 'The Content-Type cannot be read.',
  },
  invalid_range: {
    todo: 'Ask for bytes within the content: a `HEAD` tells how many there are.',
    detail: 'The content has 4096 bytes; the range lies outside.',
  },
  idempotency_mismatch: {
    todo: 'Use a new `Idempotency-Key` for each request; repeat one only with the very same body.',
    detail: 'This Idempotency-Key was used with another request.',
  },
  precondition_required: {
    todo: 'Read the resource, and send its `ETag` in `If-Match`.',
    detail: 'This route wants an If-Match header.',
  },
  busy: {
    todo: 'Send the same request after as many seconds as `Retry-After` says, with the same `Idempotency-Key`. The SDK does that by itself.',
    detail: 'Too many operations are under way.',
    params: { retryAfterSeconds: 1 },
  },
  cancelled: { todo: 'Nothing: what it had done was taken back. Ask for it anew when it is wanted.', detail: 'Cancelled on request.' },
  internal: {
    todo: 'Give the `requestId`, or the id of the operation, to the operator: the log of the server has what happened under it.',
    detail: 'An unexpected fault on our side.',
  },
  unavailable: {
    todo: 'Send the same request after as many seconds as `Retry-After` says. Where it stays so, `detail` names what cannot be reached.',
    detail: 'hv1 cannot be reached (hypervisor start).',
  },
  timeout: {
    todo: 'Send the same request again with the same `Idempotency-Key`: what may have been done is done once. Where it stays so, `detail` names what is slow.',
    detail: 'hv1 did not answer in time (hypervisor start).',
  },
};

const entries = Object.entries(ERROR_CODES) as [ErrorCode, (typeof ERROR_CODES)[ErrorCode]][];

const rows = entries.map(
  ([code, { http, title, retry, meaning }]) => `| [\`${code}\`](#${code}) | ${http} | ${title} | ${RETRIES[retry]} | ${meaning} |`,
);

const pages = entries.map(([code, { http, title, retry, meaning }]) => {
  const { todo, detail, ...more } = PAGES[code];
  const example = JSON.stringify({ ...toProblem({ code, message: detail, ...more }), requestId: '01997f3e-…' }, undefined, 2);
  return `## ${code}

**${http} ${title}.** ${meaning} Try again? ${RETRIES[retry]}.

${todo}

\`\`\`json
${example}
\`\`\`
`;
});

await output(
  'docs/reference/errors.md',
  `# Errors

Every failure is answered as problem details (RFC 9457, \`application/problem+json\`): \`code\` is one of these and never changes its meaning, \`type\` is
\`urn:pileus:error:\` with that code, which is the heading of its section here, \`title\` is
its short name, always the same, \`detail\` tells people what went wrong this time, \`pointer\` names the field at fault, \`params\` holds values that belong to the
code, \`requestId\` finds the request in the log. Codes that can be retried come with \`Retry-After\`. The \`error\` of an operation that failed has \`code\`, \`pointer\` and
\`params\` of the same meaning, and says what went wrong in \`message\`. What those that people meet first are about: [questions](../guides/faq.md).

What lay behind it is the operator's: the log has the whole chain of causes, and \`GET /v1/causes/{id}\` that of each failed try of the newest thousand operations since the start of the server,
for who has the permission \`cause.read\`.

| Code | Status | Title | Try again? | Meaning |
|---|---|---|---|---|
${rows.join('\n')}

${pages.join('\n')}`,
);
