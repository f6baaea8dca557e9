// Takes down every lab that up.ts made or that a killed test left, and says what is left: sh tools/node.sh test/lab/down.ts
import { unownedLabs } from './lab.ts';
import { residue } from './residue.ts';

const left: string[] = [];
for (const { lab } of await unownedLabs()) {
  await lab.down();
  left.push(...(await residue(lab.name)));
  console.log(`${lab.name}: down`);
}
console.log(left.length === 0 ? 'Nothing is left.' : `Left behind:\n${left.join('\n')}`);
process.exitCode = left.length === 0 ? 0 : 1;
