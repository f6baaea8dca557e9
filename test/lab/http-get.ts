// Prints what a URL answers: node http-get.ts URL. A file of its own because a process cannot change its network namespace.
const response = await fetch(process.argv[2] ?? '', { signal: AbortSignal.timeout(10_000) });
process.stdout.write(await response.text());
process.exitCode = response.status === 200 ? 0 : 1;
