/** Writes docs/reference/errors.md from the table of error codes. */
import { ERROR_CODES } from '@pileus/core/kernel';
import { output } from './outputs.ts';

const RETRIES = {
  never: 'no: the same request fails again',
  same_request: 'yes: the same request may succeed later',
  after_state_change: 'when something has changed',
};

const rows = Object.entries(ERROR_CODES).map(
  ([code, { http, title, retry, meaning }]) => `| \`${code}\` | ${http} | ${title} | ${RETRIES[retry]} | ${meaning} |`,
);

await output(
  'docs/reference/errors.md',
  `# Errors

Every failure is answered as problem details (RFC 9457, \`application/problem+json\`): \`code\` is one of these and never changes its meaning, \`title\` is
its short name, always the same, \`detail\` tells people what went wrong this time, \`pointer\` names the field at fault, \`params\` holds values that belong to the
code, \`requestId\` finds the request in the log. Codes that can be retried come with \`Retry-After\`. The \`error\` of an operation that failed has \`code\`, \`pointer\` and
\`params\` of the same meaning, and says what went wrong in \`message\`. What those that people meet first are about: [questions](../guides/faq.md).

| Code | Status | Title | Try again? | Meaning |
|---|---|---|---|---|
${rows.join('\n')}
`,
);
