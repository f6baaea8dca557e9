/** `node:http` without its getters: an import reads them all, and so loads a client for `fetch` and HTTP/2 that stay in memory (9 MiB). */
export const { Agent, request } = process.getBuiltinModule('node:http');
