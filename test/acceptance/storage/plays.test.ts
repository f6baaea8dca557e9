import { readFile } from 'node:fs/promises';
import { expect } from 'chai';
import { WAVES } from './kills/plays.ts';

const REFERENCE = new URL('../../../docs/reference/sagas.md', import.meta.url);
/** Kinds of storage, and what machines do with it. */
const OF_STORAGE =
  /^(volume|snapshot|image|pool|stray|attachment|backup|backupSet|backupStore|backupPlan)\.|^instance\.(attach|detach)(Volume|Iso)$|^instance\.(create|snapshot|remove|migrate|evacuate)$/;

/** Sagas that are at work in plays of another name. */
const WITHIN: Readonly<Record<string, string>> = {
  'backupSet.copy': 'backupSet.create',
  'image.place': 'volume.create, of an image that the pool has not',
  'snapshot.drop': 'backup.create, the second',
  'snapshot.quiesce': 'snapshot.delete',
  'volume.make': 'instance.create',
};
/** Those that are not killed here, and why. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  'attachment.remove': 'changes a row alone',
  'backupPlan.disable': 'changes a row alone',
  'backupPlan.enable': 'changes a row alone',
  'backupPlan.update': 'changes a row alone',
  'image.deprecate': 'changes a row alone',
  'pool.update': 'looks at the pool, and changes a row alone',
  'backupStore.changeCredentials': 'looks at the bucket, and changes a row alone: in simulation, by the crash matrix',
  'instance.migrate': 'in migration.test.ts',
  'instance.evacuate': 'in simulation, by the crash matrix',
};

describe('the sagas of storage whose server is killed on Ceph', () => {
  it('are all that there are, but for those that say why', async () => {
    const sagas = [...(await readFile(REFERENCE, 'utf8')).matchAll(/^## (\S+)$/gm)].map(([, name = '']) => name);
    const titles = WAVES.flatMap(({ plays }) => plays.map(({ title }) => title));
    const played = new Set(titles.map((title) => title.split(',')[0]?.replace(/\.(delete|expunge)$/, '.remove')));
    const missing = sagas.filter((name) => OF_STORAGE.test(name) && !played.has(name) && !(name in WITHIN) && !(name in ELSEWHERE));
    expect(missing).to.deep.equal([]);
    for (const title of Object.values(WITHIN)) expect(titles).to.include(title);
    // Nobody is excused who is played, or is not there any more.
    for (const name of [...Object.keys(WITHIN), ...Object.keys(ELSEWHERE)]) {
      expect(sagas).to.include(name);
      expect([...played]).to.not.include(name);
    }
  });
});
