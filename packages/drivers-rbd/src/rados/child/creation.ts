import { randomInt } from 'node:crypto';
import { type Args, IMAGE_FEATURES, type ImageFeature } from '../calls.ts';
import { encoded, exec, operate, removeIf } from './classes.ts';
import { check, EEXIST, NativeFailure } from './failures.ts';
import { bitsOf, createByLibrbd, DEFAULT_FEATURES, DEFAULT_ORDER } from './images.ts';
import { type Pointer, rados } from './native.ts';
import { readPage } from './omap.ts';
import { nameOf, type Session } from './session.ts';

/*
 * To make an image librbd copies all of its settings, which is two thirds of a client's time for it, and asks the cluster twice for what is the same each time: how the pool is set, and whether it can have images
 * at all. What is left are four calls: a name in the directory, the id behind the name, the image, and the map of its objects. They are made here by the class `rbd`, one after another as librbd does, so that one
 * that is cut short leaves what librbd would leave. What is not plain goes the way of librbd.
 */

/** How a pool is set is looked at again after this long. */
const LOOK_MS = 60_000;
const INFO = 'rbd_info';
/** What librbd writes there once it has tried what images need of a pool. */
const VALIDATED = 'overwrite validated';
/** Settings of librbd that a pool has for itself. */
const POOL_SETTINGS = 'metadata_conf_rbd_default_';
/** What an image would be made by that is asked for nowhere. */
const PLAIN_SETTINGS = { rbd_default_data_pool: '', rbd_default_stripe_unit: '0', rbd_default_stripe_count: '0' } as const;
const PLAIN = bitsOf(['layering', 'exclusive-lock', 'object-map', 'fast-diff', 'deep-flatten']);
/** Each of these goes with the next alone. */
const CHAIN: readonly ImageFeature[] = ['fast-diff', 'object-map', 'exclusive-lock'];
const [ORDER_MIN, ORDER_MAX] = [12, 25] as const;
const MAPPED_MAX = 256_000_000n;
const ID_DIGITS = 14;
const EXCLUSIVE = 1;
const NO_DATA_POOL = 0xffff_ffff_ffff_ffffn;
/** The bytes of it, if there are any, are names of images of the first format, which clients of today make no more. Its map has the others. */
const DIRECTORY = 'rbd_directory';

export class Creation {
  readonly #session: Session;
  readonly #looks = new Map<string, { readonly untilMs: number; readonly isPlain: Promise<boolean> }>();

  constructor(session: Session) {
    this.#session = session;
  }

  async create(args: Args<'image.create'>): Promise<null> {
    const features = bitsOf(args.features ?? DEFAULT_FEATURES);
    const order = args.order ?? DEFAULT_ORDER;
    const isPlain = isPlainImage(args, features, order) && (await this.#isPlainPool(args.pool));
    if (!isPlain || !(await this.#createPlain(args, features, order))) await createByLibrbd(this.#session, args);
    return null;
  }

  async #isPlainPool(pool: string): Promise<boolean> {
    const nowMs = performance.now();
    const known = this.#looks.get(pool);
    if (known !== undefined && known.untilMs > nowMs) return known.isPlain;
    const isPlain = this.#look(pool).catch(() => false);
    this.#looks.set(pool, { untilMs: nowMs + LOOK_MS, isPlain });
    return await isPlain;
  }

  async #look(pool: string): Promise<boolean> {
    const place = { pool, namespace: '' };
    const isFit = await this.#session.within(place, async (io) => {
      const bytes = Buffer.alloc(VALIDATED.length + 1);
      const read = async (object: string) => check(await rados.rados_read.later(io, object, bytes, bytes.length, 0), object);
      return (await read(DIRECTORY)) === 0 && bytes.toString('utf8', 0, await read(INFO)) === VALIDATED;
    });
    const { entries } = await readPage(this.#session, { ...place, object: INFO }, { prefix: POOL_SETTINGS, limit: 1 });
    return isFit && entries.length === 0;
  }

  /** False where that is librbd's to do or to refuse, with nothing changed. */
  async #createPlain(args: Args<'image.create'>, features: bigint, order: number): Promise<boolean> {
    for (const [name, value] of Object.entries(PLAIN_SETTINGS)) if (this.#session.setting(name) !== value) return false;
    const id = `${this.#session.instanceId.toString(16)}${randomInt(2 ** 32).toString(16)}`.slice(-ID_DIGITS);
    return await this.#session.within(args, async (io) => {
      const named = await operate(io, DIRECTORY, (operation) => {
        rados.rados_write_op_assert_exists.now(operation);
        exec(operation, { method: 'dir_add_image', input: Buffer.concat([encoded.text(args.image), encoded.text(id)]) });
      });
      if (named === -EEXIST) throw new NativeFailure(EEXIST, nameOf(args));
      if (named < 0) return false;
      const made: string[] = [];
      try {
        for (const { object, ...call } of partsOf(args, id, features, order)) {
          const result = await operate(io, object, (operation) => {
            // The map is the image's own, by its id.
            if (call.method !== 'object_map_resize') rados.rados_write_op_create.now(operation, EXCLUSIVE, null);
            exec(operation, call);
          });
          check(result, nameOf(args));
          made.push(object);
        }
      } catch (error) {
        await this.#takeBack(io, args, id, made).catch(() => undefined);
        throw error;
      }
      return true;
    });
  }

  /** As librbd does it: the name goes last. */
  async #takeBack(io: Pointer, { pool, namespace, image }: Args<'image.create'>, id: string, made: readonly string[]): Promise<void> {
    const idObject = idObjectOf(image);
    for (const object of made.toReversed())
      if (object !== idObject) await operate(io, object, (operation) => void rados.rados_write_op_remove.now(operation));
    if (made.includes(idObject)) await removeIf(this.#session, { pool, namespace, object: idObject }, encoded.text(id));
    const input = Buffer.concat([encoded.text(image), encoded.text(id)]);
    await operate(io, DIRECTORY, (operation) => exec(operation, { method: 'dir_remove_image', input }));
  }
}

const idObjectOf = (image: string): string => `rbd_id.${image}`;

/** What an image is made of beside its name in the directory, in the order in which librbd makes it. */
function partsOf({ image, sizeBytes }: Args<'image.create'>, id: string, features: bigint, order: number) {
  const { u8, u64, text } = encoded;
  const header = Buffer.concat([u64(sizeBytes), u8(order), u64(features), text(`rbd_data.${id}`), u64(NO_DATA_POOL)]);
  const map = Buffer.concat([u64(objectsOf(sizeBytes, order)), u8(0)]);
  return [
    { object: idObjectOf(image), method: 'set_id', input: text(id) },
    { object: `rbd_header.${id}`, method: 'create', input: header },
    ...((features & IMAGE_FEATURES['object-map']) === 0n
      ? []
      : [{ object: `rbd_object_map.${id}`, method: 'object_map_resize', input: map }]),
  ];
}

function isPlainImage({ namespace, dataPool, sizeBytes }: Args<'image.create'>, features: bigint, order: number): boolean {
  if (namespace !== '' || dataPool !== undefined || (features & ~PLAIN) !== 0n || order < ORDER_MIN || order > ORDER_MAX) return false;
  const has = CHAIN.map((feature) => (features & IMAGE_FEATURES[feature]) !== 0n);
  if (has.some((present, index) => present && has[index + 1] === false)) return false;
  return (features & IMAGE_FEATURES['object-map']) === 0n || objectsOf(sizeBytes, order) <= MAPPED_MAX;
}

const objectsOf = (sizeBytes: bigint, order: number): bigint => (sizeBytes + (1n << BigInt(order)) - 1n) >> BigInt(order);
