/** Where queries find tags: `tags.env` asks for the value of the tag with this key. */
export const TAG = 'tag';
export const TAG_KEY = 'key';
export const TAG_VALUE = 'value';

/** Who has this of a kind may tag its rows. */
export const tagPermission = (kind: { readonly name: string }): string => `${kind.name}.tag`;
