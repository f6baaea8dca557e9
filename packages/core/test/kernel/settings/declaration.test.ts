import { expect } from 'chai';
import { Type } from 'typebox';
import { defineKind, defineSetting, type Plugin, type Presets, Reader, Registry, ref } from '../../../src/kernel/index.ts';
import { inlineSqlite } from '../../../src/sqlite/index.ts';
import { SimEnvironment } from '../../../testing/index.ts';

const states = { states: { idle: ['deleted'] }, initial: 'idle' } as const;
const house = defineKind({
  name: 'house',
  plural: 'houses',
  description: 'A house.',
  scope: 'cloud',
  schema: Type.Object({}),
  ...states,
});
const room = defineKind({
  name: 'room',
  plural: 'rooms',
  description: 'A room.',
  scope: 'cloud',
  schema: Type.Object({ houseId: ref('house', 'cascade'), behindId: Type.Optional(ref('room', 'detach')), size: Type.Integer() }),
  ...states,
});
const warmth = defineSetting({
  name: 'rooms.warmthDegrees',
  description: 'How warm it is.',
  schema: Type.Number({ minimum: 0 }),
  default: 20,
  levels: ['house', 'room'],
});

const plugin = (id: string, more: Partial<Plugin> = {}): Plugin => ({ id, version: '1', ...more });
const homes = plugin('homes', { kinds: [house, room], settingLevels: [{ kind: 'house' }, { kind: 'room', parent: 'houseId' }] });
const register = (plugins: readonly Plugin[], presets?: Presets) =>
  new Registry(plugins, new SimEnvironment('settings'), new Reader(inlineSqlite()), presets === undefined ? {} : { presets });

describe('what plugins declare of settings', () => {
  it('is typed, and known by its name', () => {
    const value: number = warmth.default;
    const { settings } = register([homes, plugin('heating', { settings: [warmth] })], { 'rooms.warmthDegrees': 18 });
    expect(value).to.equal(20);
    expect(settings.find('rooms.warmthDegrees')).to.deep.equal({ setting: warmth, plugin: 'heating' });
    expect(settings.preset(warmth)).to.equal(18);
    // @ts-expect-error: no text is a default of a number.
    expect(() => defineSetting({ name: 'a.b', description: '', schema: Type.Number(), default: 'warm' })).to.throw('does not fit');
  });

  it('is refused where a setting contradicts itself', () => {
    const made = (more: object) => () => defineSetting({ name: 'a.b', description: '', schema: Type.Number(), default: 1, ...more });
    expect(made({ name: 'Warmth' })).to.throw('setting Warmth: a name is like');
    expect(made({ levels: ['house', 'house'] })).to.throw('setting a.b: levels are named once');
    expect(made({ levels: ['global'] })).to.throw('global is always one');
    expect(made({ schema: Type.Number({ minimum: 2 }) })).to.throw(
      'setting a.b: its default 1 does not fit: The field /value must be at least 2',
    );
    expect(made({ check: () => ({ reason: 'odd', message: 'It is odd.' }) })).to.throw('does not fit: It is odd.');
  });

  const wrong: Readonly<Record<string, readonly [readonly Plugin[], string]>> = {
    'a second setting of one name': [
      [homes, plugin('a', { settings: [warmth] }), plugin('b', { settings: [warmth] })],
      'plugins a and b both declare the setting rooms.warmthDegrees',
    ],
    'a level that nobody declares': [
      [plugin('homes', { kinds: [house, room], settingLevels: [{ kind: 'house' }] }), plugin('a', { settings: [warmth] })],
      'the setting rooms.warmthDegrees of plugin a is for the level room; plugins declare house (homes)',
    ],
    'a second level of one kind': [
      [homes, plugin('a', { settingLevels: [{ kind: 'room' }] })],
      'plugins homes and a both declare the setting level room',
    ],
    'a level that is no kind': [
      [plugin('a', { settingLevels: [{ kind: 'yard' }] })],
      'plugin a declares the unknown kind yard a setting level',
    ],
    'a level that inherits by what is no ref': [
      [plugin('a', { kinds: [house, room], settingLevels: [{ kind: 'house' }, { kind: 'room', parent: 'size' }] })],
      'the setting level room of plugin a inherits by size, which is no ref of it',
    ],
    'a level that inherits from what is none': [
      [plugin('a', { kinds: [house, room], settingLevels: [{ kind: 'room', parent: 'houseId' }] })],
      'the setting level room of plugin a inherits from house, which no plugin declares a level',
    ],
    'levels in a circle': [
      [plugin('a', { kinds: [house, room], settingLevels: [{ kind: 'room', parent: 'behindId' }] })],
      'the setting levels room, room inherit from each other',
    ],
  };
  for (const [what, [plugins, says]] of Object.entries(wrong))
    it(`refuses ${what}`, () => {
      expect(() => register(plugins)).to.throw(says);
    });

  it('refuses values of the configuration that do not fit, and those of settings that nobody declares', () => {
    const plugins = [homes, plugin('heating', { settings: [warmth] })];
    expect(() => register(plugins, { 'rooms.warmthDegrees': -1 })).to.throw(
      'The setting rooms.warmthDegrees of plugin heating has a wrong value: The field /value must be at least 0',
    );
    expect(() => register(plugins, { 'rooms.light': true })).to.throw('a value for the setting rooms.light, which no plugin declares');
  });
});
