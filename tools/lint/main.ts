import { globSync, readFileSync } from 'node:fs';
import { join, normalize } from 'node:path';
import { problemsOf } from './problems.ts';

/** What biome and tsc do not see: arrows between layers, module contracts, banned calls, long files. */
const root = normalize(join(import.meta.dirname, '../..'));
const files = globSync(['{examples,packages}/*/{src,test,testing,examples}/**/*.ts', 'test/**/*.ts', 'tools/**/*.ts'], {
  cwd: root,
}).filter((path) => !path.includes('node_modules'));
const problems = files.flatMap((path) => [...problemsOf(path, readFileSync(join(root, path), 'utf8'))]);

for (const problem of problems) console.log(problem);
console.log(
  problems.length === 0 ? `lint: ${files.length} files, nothing to say` : `lint: ${problems.length} problems in ${files.length} files`,
);
process.exitCode = problems.length === 0 ? 0 : 1;
