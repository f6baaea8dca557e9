import type { Command, Option } from 'commander';
import { UsageError } from './exit.ts';
import { buildProgram } from './program.ts';
import { groupsOf, kindCalled, openServer, type Server } from './server.ts';
import type { Session } from './session.ts';

const SCRIPTS = {
  bash: `_pileus() {
  local IFS=$'\\n'
  COMPREPLY=($("\${COMP_WORDS[0]}" __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F _pileus pileus
`,
  zsh: `#compdef pileus
_pileus() {
  local -a candidates
  candidates=(\${(f)"$(\${words[1]} __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)"})
  if (( \${#candidates} )); then compadd -a candidates; else _files; fi
}
compdef _pileus pileus
`,
  fish: `function __pileus_complete
  set -l words (commandline -opc)
  set -l current (commandline -ct)
  set -l candidates ($words[1] __complete -- $words[2..] "$current" 2>/dev/null)
  if test (count $candidates) -gt 0
    printf '%s\\n' $candidates
  else
    __fish_complete_path "$current"
  end
end
complete -c pileus -f -a '(__pileus_complete)'
`,
} as const;

/** A shell that waits for completion waits no longer than this. */
const TIMEOUT_MS = 2000;
const NAMES_MAX = 200;

export function addCompletion(program: Command, session: Session): void {
  program
    .command('completion')
    .description('Prints the completion script of a shell.')
    .argument('<shell>', Object.keys(SCRIPTS).join(', '))
    .addHelpText(
      'after',
      '\nbash:  source <(pileus completion bash)\nzsh:   source <(pileus completion zsh)\nfish:  pileus completion fish | source',
    )
    .action((shell: string) => {
      const script = SCRIPTS[shell as keyof typeof SCRIPTS];
      if (script === undefined)
        throw new UsageError(`There is no completion for ${shell}.`, `There is for ${Object.keys(SCRIPTS).join(', ')}.`);
      session.out(script);
    });
  program
    .command('__complete', { hidden: true })
    .argument('[words...]')
    .action(async (words: readonly string[]) => {
      const current = words.at(-1) ?? '';
      const candidates = await candidatesFor(session, words.slice(0, -1), current).catch(() => []);
      session.out(
        candidates
          .filter((candidate) => candidate.startsWith(current))
          .map((candidate) => `${candidate}\n`)
          .join(''),
      );
    });
}

async function candidatesFor(session: Session, before: readonly string[], current: string): Promise<readonly string[]> {
  const server = await session
    .target()
    .then((target) => openServer(target, session.env))
    .catch(() => undefined);
  if (before.length === 0) {
    const commands = (await buildProgram(session, [])).commands.filter((command) => !command.name().startsWith('__'));
    const plurals =
      server === undefined
        ? []
        : [...server.description.kinds.map(({ plural }) => plural), ...groupsOf(server.description).map(({ segment }) => segment)];
    return [...commands.map((command) => command.name()), ...plurals];
  }
  const [first = '', second] = before;
  const top = (await buildProgram(session, before)).commands.find(
    (command) => command.name() === first || command.aliases().includes(first),
  );
  if (top === undefined) return [];
  if (second === undefined && top.commands.length > 0) return top.commands.map((command) => command.name());
  const command = top.commands.find((candidate) => candidate.name() === second || candidate.aliases().includes(second ?? '')) ?? top;
  return await candidatesOf(command, before, current, server);
}

/** Values of the flag before, flags, or names of the resources that the command works on. */
async function candidatesOf(
  command: Command,
  before: readonly string[],
  current: string,
  server: Server | undefined,
): Promise<readonly string[]> {
  const previous = before.at(-1) ?? '';
  const option = command.options.find((candidate) => longsOf(candidate).includes(previous) || candidate.short === previous);
  if (option !== undefined && (option.required || option.optional)) {
    if (option.argChoices !== undefined) return option.argChoices;
    const placeholder = /<([^>]+)>/.exec(option.flags)?.[1] ?? '';
    return await namesOf(server, placeholder, current);
  }
  if (current.startsWith('-'))
    return command.options.filter((candidate) => !candidate.hidden).flatMap((candidate) => longsOf(candidate).slice(0, 1));
  if (command.name() === 'completion') return Object.keys(SCRIPTS);
  const [argument] = command.registeredArguments;
  if (argument === undefined || command.name() === 'create' || command.name() === 'upload') return [];
  return await namesOf(server, command.name() === 'console' ? 'instance' : (command.parent?.name() ?? ''), current);
}

/** All long forms, shortest first. */
const longsOf = ({ flags }: Option): readonly string[] => flags.match(/--[a-z][a-z0-9-]*/g) ?? [];

async function namesOf(server: Server | undefined, kindName: string, prefix: string): Promise<readonly string[]> {
  const kind = server === undefined ? undefined : kindCalled(kindName, server.description);
  if (server === undefined || kind === undefined) return [];
  const like = prefix.replaceAll(/[\\%_]/g, '\\$&');
  const rows = await server.cloud
    .resource(kind)
    .list({ where: { name: { like: `${like}%` } }, limit: NAMES_MAX, pageSize: NAMES_MAX, timeoutMs: TIMEOUT_MS })
    .toArray();
  return rows.map((row) => (kind.kind === 'operation' ? row.id : row.name));
}
