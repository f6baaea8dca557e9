/** Writes docs/reference/config.md from the schema that the server checks its configuration with. */
import { CONFIG } from '../../packages/server/src/config/schema.ts';
import { output } from './outputs.ts';
import { type Described, described, typeOf } from './schema.ts';

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
  `| \`${key}\` | ${typeOf(shallow(field))} | ${field.default === undefined ? '' : `\`${JSON.stringify(field.default)}\``} | ${field.description ?? ''} |`;

/** Rows of their own tell what is inside of it. */
function shallow({ properties: _, items, ...field }: Described): Described {
  return items === undefined ? field : { ...field, items: shallow(items) };
}

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
${rowsOf(described(CONFIG)).join('\n')}
`,
);
