const LABEL = '[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?';

/** What DNS takes for a name: labels of 1 to 63 letters, digits and inner hyphens. */
export const DOMAIN = `^${LABEL}(\\.${LABEL})*$`;
