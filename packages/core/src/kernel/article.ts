/** `a volume`, `an instance`: one of a kind, as texts for people speak of it. */
export const oneOf = (kind: string): string => `${/^[aeio]/i.test(kind) ? 'an' : 'a'} ${kind}`;
