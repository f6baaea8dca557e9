import { expect } from 'chai';
import type { PoolFacts } from '../../src/strategy/index.ts';
import { UNANSWERED } from './harness.ts';
import type { StorageFeature, StorageStage } from './storage-stage.ts';

/** What a driver says of how well its pool keeps things. */
export function factTests(stage: StorageStage, features: readonly StorageFeature[]): void {
  const tell = async (): Promise<PoolFacts> => {
    const facts = await stage.driver.facts?.(stage.call());
    return facts ?? expect.fail('the driver tells no facts');
  };

  it('tells copies, failure domain and health, the same each time', async () => {
    const facts = await tell();
    expect(Number.isInteger(facts.replicas) && facts.replicas >= 1, 'replicas').to.equal(true);
    expect(Number.isInteger(facts.replicasMin), 'replicasMin').to.equal(true);
    expect(facts.replicasMin).to.be.within(1, facts.replicas);
    expect(facts.failureDomain).to.be.a('string').and.not.equal('');
    expect(facts.deviceClass).not.to.equal('');
    expect(facts.health).to.equal('healthy');
    expect(facts.isNearlyFull).to.equal(false);
    expect(facts.reason).to.equal(undefined);
    expect(await tell()).to.deep.equal(facts);
  });

  it('a frozen backend makes it fail, never tell an older health', async () => {
    await tell();
    await stage.whileFrozen(async () => {
      expect(await stage.fault(stage.driver.facts?.(stage.brief()) ?? Promise.resolve())).to.be.oneOf(UNANSWERED);
    });
  });

  if (features.includes('health'))
    it('tells trouble and why, and when it is over', async () => {
      const { harness } = stage;
      await harness.harm?.();
      try {
        const { reason } = await stage.eventually(tell, ({ health }) => health !== 'healthy', stage.timeouts.guestMs);
        expect(reason).to.be.a('string').and.not.equal('');
      } finally {
        await harness.heal?.();
      }
      const healed = await stage.eventually(tell, ({ health }) => health === 'healthy', stage.timeouts.guestMs);
      expect(healed.reason).to.equal(undefined);
    });
}

/** What an attachment refers to. */
export function secretTests(stage: StorageStage): void {
  const secret = (ref: string) => stage.driver.secret?.(ref, stage.call()) ?? expect.fail('the driver gives no secrets');

  it('gives the value behind the reference of an attachment, the same each time, and no attachment has it', async () => {
    const attachment = await stage.driver.volumes.attach(await stage.volume(), stage.harness.host, stage.call());
    if (!('secretRef' in attachment) || attachment.secretRef === undefined) return expect.fail('the attachment refers to no secret');
    expect(stage.driver.secretRefs).to.include(attachment.secretRef);
    const value = await secret(attachment.secretRef);
    expect(value).not.to.equal('');
    expect(await secret(attachment.secretRef)).to.equal(value);
    expect(JSON.stringify(attachment)).not.to.contain(value);
  });

  it('a reference that it never gave is not_found', async () => {
    expect(await stage.fault(Promise.resolve(secret('no such secret')))).to.equal('not_found');
  });
}
