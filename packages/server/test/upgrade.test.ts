import { upgradeUnderLoad } from './release/upgrade.ts';

describe('a release', function () {
  this.timeout(300_000);

  it('takes over from the last one under load, with operations under way, on the embedded store', () => upgradeUnderLoad(undefined));
});
