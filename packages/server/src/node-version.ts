const NODE_MIN = 24;

/** Ends the process where this Node lacks what the rest is made of, before any of that is loaded. To be imported by programs alone, and first. */
export function refuseOldNode(program: string): void {
  const { node } = process.versions;
  if (Number.parseInt(node, 10) >= NODE_MIN) return;
  process.stderr.write(`${program} needs Node ${NODE_MIN} or later; this is ${node}.\n`);
  process.exit(1);
}
