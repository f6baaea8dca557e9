import type { TargetChoice } from './profiles.ts';

const NAMES = ['url', 'key', 'profile'] as const;

/** Takes the flags that every command has out of the arguments, from wherever they stand: they decide which commands there are. */
export function takeGlobals(argv: readonly string[]): { readonly words: readonly string[]; readonly choice: TargetChoice } {
  const words: string[] = [];
  const choice: Record<string, string> = {};
  for (let index = 0; index < argv.length; index += 1) {
    const word = argv[index] ?? '';
    if (word === '--') {
      words.push(...argv.slice(index));
      break;
    }
    const name = NAMES.find((candidate) => word === `--${candidate}` || word.startsWith(`--${candidate}=`));
    if (name === undefined) words.push(word);
    else if (word.includes('=')) choice[name] = word.slice(word.indexOf('=') + 1);
    else {
      index += 1;
      choice[name] = argv[index] ?? '';
    }
  }
  return { words, choice };
}
