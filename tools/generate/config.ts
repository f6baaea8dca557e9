/** Writes docs/reference/config.md and agent-config.md from the schemas that the server and the agent check their configurations with. */
import { AGENT_CONFIG } from '../../packages/server/src/agent/config.ts';
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

function row(key: string, field: Described): string {
  const { default: own, 'x-default': ofSetting, description = '' } = field;
  const standard = own ?? ofSetting;
  const also = ofSetting === undefined ? '' : ' A [setting](settings.md): what is set goes before what is said here.';
  return `| \`${key}\` | ${typeOf(shallow(field))} | ${standard === undefined ? '' : `\`${JSON.stringify(standard)}\``} | ${description}${also} |`;
}

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

await output(
  'docs/reference/agent-config.md',
  `# Configuration of the agent

\`pileus-agent --config FILE\` reads one file, YAML or JSON, as the server does. Paths are relative to the file.

\`\`\`yaml
listen: { host: 192.0.2.7 }
identity: { certFile: agent.pem, keyFile: agent.key }
controllers: ["AA:BB:…"]
dataDir: /var/lib/pileus-agent
\`\`\`

| Key | Type | Default | Meaning |
|---|---|---|---|
${rowsOf(described(AGENT_CONFIG)).join('\n')}
`,
);
