import { access, readdir } from 'node:fs/promises';
import { dirname, join, normalize } from 'node:path';
import { expect } from 'chai';
import { ROOT, read } from './documents.ts';

const FOLDERS = ['.', 'docs', 'examples', 'packages', 'test', 'tools'];
const SKIPPED = /(^|\/)(node_modules|dist|\.[^/]+)(\/|$)/;

async function pages(): Promise<readonly string[]> {
  const found = await Promise.all(
    FOLDERS.map(async (folder) =>
      (await readdir(join(ROOT, folder), { recursive: folder !== '.' }))
        .map((name) => normalize(join(folder, name)))
        .filter((path) => path.endsWith('.md') && !SKIPPED.test(path)),
    ),
  );
  return [...new Set(found.flat())].sort();
}

const exists = (path: string): Promise<boolean> =>
  access(join(ROOT, path)).then(
    () => true,
    () => false,
  );

/** As GitHub makes them of headings. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, '')
    .trim()
    .replaceAll(/\s/g, '-');

const withoutCode = (text: string): string => text.replaceAll(/```[\s\S]*?```/g, '');

describe('the documents', () => {
  it('link to files and headings that are there', async () => {
    const broken: string[] = [];
    const all = await pages();
    expect(all).to.include.members(['README.md', 'ARCHITECTURE.md', 'CONTRIBUTING.md', 'CHANGELOG.md', 'docs/internals/observation.md']);
    for (const page of all)
      for (const [, target = ''] of withoutCode(await read(page)).matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^[a-z]+:/.test(target)) continue;
        const [path = '', anchor] = target.split('#');
        const file = path === '' ? page : normalize(join(dirname(page), path));
        if (!(await exists(file))) broken.push(`${page}: ${target}`);
        else if (anchor !== undefined) {
          const headings = [...(await read(file)).matchAll(/^#+ (.*)$/gm)].map(([, heading = '']) => anchorOf(heading));
          if (!headings.includes(anchor)) broken.push(`${page}: ${target}`);
        }
      }
    expect(broken).to.deep.equal([]);
  });

  it('name source files that are there', async () => {
    const broken: string[] = [];
    for (const page of (await pages()).filter((path) => !path.startsWith('packages/')))
      for (const [, path = ''] of withoutCode(await read(page)).matchAll(/`((?:packages|test|tools|docs)\/[\w./-]+)`/g))
        if (!(await exists(path))) broken.push(`${page}: ${path}`);
    expect(broken).to.deep.equal([]);
  });

  it('say nothing of the place where they were written', async () => {
    for (const page of await pages()) expect(await read(page), page).to.not.match(/\/work\/|\/root\/|\/home\/[a-z]+\//);
  });
});
