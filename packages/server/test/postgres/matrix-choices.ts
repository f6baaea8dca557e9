import { type Choose, type Scenario, TWICE } from '@pileus/core/testing';

/** Which histories of a scenario are played: of those that go wrong, and of those that go wrong again on the way back. */
export interface Choices {
  readonly choose: Choose;
  readonly chooseUndone?: Choose;
}

export const actionOf = ({ name }: Pick<Scenario, 'name'>): string => name.split(' ')[0] ?? '';

export const whole = (): Choices => ({ choose: (histories) => histories });

/**
 * Each way in which a step of an action can go wrong is played with the first scenario of the action that comes to it, and each way in which one of its undos can
 * with the first failure that leads there. What drivers are asked twice does not reach the store otherwise than what they are asked once.
 */
export function onceEach(): (scenario: Scenario) => Choices {
  const seen = new Set<string>();
  const once =
    (action: string): Choose =>
    (histories, titleOf) =>
      histories.filter((history) => {
        const title = `${action} ${titleOf(history)}`;
        if (title.endsWith(TWICE) || seen.has(title)) return false;
        seen.add(title);
        return true;
      });
  return (scenario) => ({ choose: once(actionOf(scenario)), chooseUndone: once(actionOf(scenario)) });
}
