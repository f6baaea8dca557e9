/** Of access rules: what always passes, what a security group allows, and what is left. Between them there is room. */
export const PRIORITY = { always: 3000, allow: 2000, drop: 1000 } as const;
