// Takes down every lab that up.ts made or that a killed test left, or those that are named, and says what is left: sh tools/node.sh test/lab/down.ts [LAB ...]
import { unownedLabs } from './lab.ts';
import { residue } from './residue.ts';

const names = process.argv.slice(2);
const labs = (await unownedLabs()).map(({ lab }) => lab);
for (const name of names) if (!labs.some((lab) => lab.name === name)) throw new Error(`no lab ${name} is there that stays, or was left`);
const left: string[] = [];
for (const lab of labs.filter(({ name }) => names.length === 0 || names.includes(name))) {
  await lab.down();
  left.push(...(await residue(lab.name)));
  console.log(`${lab.name}: down`);
}
console.log(left.length === 0 ? 'Nothing is left.' : `Left behind:\n${left.join('\n')}`);
process.exitCode = left.length === 0 ? 0 : 1;
