import { parseCidr } from './cidr.ts';

/** What hosts and routers take for something else than an address of a machine (RFC 6890). The metadata service of each network is in the second. */
export const SPECIAL_RANGES = (
  [
    ['0.0.0.0/8', 'nowhere'],
    ['169.254.0.0/16', 'of each link for itself'],
    ['127.0.0.0/8', 'each machine itself'],
    ['224.0.0.0/4', 'for groups of receivers'],
    ['240.0.0.0/4', 'for nobody'],
    ['::/8', 'for nobody'],
    ['fe80::/10', 'of each link for itself'],
    ['ff00::/8', 'for groups of receivers'],
  ] as const
).flatMap(([text, what]) => {
  const range = parseCidr(text);
  return range === undefined ? [] : [{ text, what, range }];
});
