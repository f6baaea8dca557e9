/** Writes docs/reference/config.md from the schema that the server checks its configuration with. */
import type { TSchema } from 'typebox';
import { CONFIG } from '../../packages/server/src/config/schema.ts';
import { output } from './outputs.ts';

interface Described {
  readonly type?: string;
  readonly description?: string;
  readonly default?: unknown;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly const?: unknown;
  readonly anyOf?: readonly Described[];
  readonly items?: Described;
  readonly properties?: Readonly<Record<string, Described>>;
  readonly required?: readonly string[];
}

function rowsOf(schema: Described, prefix = ''): readonly string[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, field]) => {
    const key = prefix + name;
    const isGroup = field.properties !== undefined;
    const own = isGroup && field.default !== undefined ? [] : [row(key, field)];
    if (isGroup) return [...own, ...rowsOf(field, `${key}.`)];
    return field.items?.properties === undefined ? own : [...own, ...rowsOf(field.items, `${key}[].`)];
  });
}

const row = (key: string, field: Described): string =>
  `| \`${key}\` | ${typeOf(field)} | ${field.default === undefined ? '' : `\`${JSON.stringify(field.default)}\``} | ${field.description ?? ''} |`;

function typeOf({ type, anyOf, const: literal, items, minimum, maximum }: Described): string {
  if (anyOf !== undefined) return anyOf.map(typeOf).join(', ');
  if (literal !== undefined) return `\`${literal}\``;
  if (items !== undefined) return `list of ${typeOf(items)}`;
  if (type === undefined) return 'anything';
  const bounds = [minimum === undefined ? '' : `from ${minimum}`, maximum === undefined ? '' : `to ${maximum}`].filter(
    (bound) => bound !== '',
  );
  return [type, ...bounds].join(' ');
}

const plain = JSON.parse(JSON.stringify(CONFIG as TSchema)) as Described;

await output(
  'docs/reference/config.md',
  `# Configuration

\`pileus-server --config FILE\` reads one file, YAML or JSON. Every key has a default; a key that is not listed here is an error that names it. Paths are
relative to the file. The environment overrides nothing: what the file says is what runs.

\`\`\`yaml
listen: { host: 0.0.0.0, port: 7420 }
dataDir: /var/lib/pileus
log: { level: info }
\`\`\`

| Key | Type | Default | Meaning |
|---|---|---|---|
${rowsOf(plain).join('\n')}
`,
);
