/** `a volume`, `an instance`: one of a kind, as texts for people speak of it. */
export const oneOf = (kind: string): string => `${/^[aeio]/i.test(kind) ? 'an' : 'a'} ${kind}`;

const ACRONYMS = new Set(['api', 'cpu', 'dns', 'id', 'ip', 'iso', 'mac', 'nat', 'nic', 'ssh', 'url', 'vlan', 'vpc']);

/** `elasticIp` as texts for people write it: `elastic IP`. */
export const inWords = (name: string): string =>
  name
    .replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)
    .split(' ')
    .map((word) => (ACRONYMS.has(word) ? word.toUpperCase() : word))
    .join(' ');
