import { expect } from 'chai';
import { Interrupts } from '../../tools/demo/interrupts.ts';

describe('the demo', () => {
  it('ends at once for a second Ctrl-C that is meant, not for one that is forwarded', () => {
    const interrupts = new Interrupts();
    expect(interrupts.take('SIGINT', 5000)).to.equal('take-down');
    expect(interrupts.take('SIGINT', 5003)).to.equal('ignore');
    expect(interrupts.take('SIGHUP', 9000)).to.equal('ignore');
    expect(interrupts.take('SIGINT', 9001)).to.equal('end-at-once');
  });
});
