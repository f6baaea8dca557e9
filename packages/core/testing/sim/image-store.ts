import type { ContentFacts, ImageStore, Part, PartName } from '../../src/cloud/storage/image-store.ts';
import { CloudError, type Environment } from '../../src/kernel/index.ts';

interface SimPart {
  bytes: Uint8Array;
  changedAtMs: number;
}

/** Image content in memory: it is the outside world's, and survives crashes. */
export class SimImageStore implements ImageStore {
  readonly #environment: Pick<Environment, 'clock'>;
  readonly #contents = new Map<string, Uint8Array>();
  /** By image and digest. */
  readonly #parts = new Map<string, Map<string, SimPart>>();

  constructor(environment: Pick<Environment, 'clock'>) {
    this.#environment = environment;
  }

  async write(id: string, bytes: AsyncIterable<Uint8Array>, limitBytes: number): Promise<ContentFacts> {
    const parts: Uint8Array[] = [];
    let sizeBytes = 0;
    for await (const part of bytes) {
      parts.push(part);
      sizeBytes += part.length;
      if (sizeBytes > limitBytes) throw tooLarge(limitBytes);
    }
    const whole = Buffer.concat(parts);
    this.#contents.set(id, whole);
    return factsOf(whole);
  }

  async append(
    { id, sha256, fromBytes }: PartName & { readonly fromBytes: number },
    bytes: AsyncIterable<Uint8Array>,
    limitBytes: number,
  ): Promise<ContentFacts> {
    const begun = this.#parts.get(id)?.get(sha256)?.bytes ?? new Uint8Array();
    if (begun.length < fromBytes) throw new CloudError('conflict', 'There is less.', { params: { receivedBytes: begun.length } });
    const part: SimPart = { bytes: begun.subarray(0, fromBytes), changedAtMs: this.#environment.clock.nowMs() };
    this.#parts.set(id, new Map([[sha256, part]]));
    try {
      for await (const chunk of bytes) {
        part.bytes = Buffer.concat([part.bytes, chunk]);
        part.changedAtMs = this.#environment.clock.nowMs();
        if (part.bytes.length > limitBytes) break;
      }
    } catch (error) {
      if (part.bytes.length === 0) this.#parts.delete(id);
      throw error;
    }
    this.#parts.delete(id);
    if (part.bytes.length > limitBytes) throw tooLarge(limitBytes);
    const facts = factsOf(part.bytes);
    if (facts.sha256 !== sha256)
      throw new CloudError('invalid_input', 'The content does not have the digest of Repr-Digest.', {
        params: { expected: sha256, found: facts.sha256 },
      });
    this.#contents.set(id, part.bytes);
    return facts;
  }

  async part({ id, sha256 }: PartName): Promise<Part | undefined> {
    return (await this.parts()).find((part) => part.id === id && part.sha256 === sha256 && part.sizeBytes > 0);
  }

  async parts(): Promise<readonly Part[]> {
    return [...this.#parts].flatMap(([id, byDigest]) =>
      [...byDigest].map(([sha256, { bytes, changedAtMs }]) => ({ id, sha256, sizeBytes: bytes.length, changedAtMs })),
    );
  }

  async deletePart({ id }: PartName): Promise<void> {
    this.#parts.delete(id);
  }

  async open(id: string, sha256?: string) {
    const bytes = this.#contents.get(id);
    if (bytes === undefined) throw new CloudError('not_found', `No content ${id}.`);
    const isDamaged = sha256 !== undefined && factsOf(bytes).sha256 !== sha256;
    return {
      sizeBytes: bytes.length,
      open: async function* () {
        yield bytes;
        if (isDamaged) throw new CloudError('internal', `The content of image ${id} is damaged.`);
      },
    };
  }

  /** Cuts its end off, behind everybody's back. */
  damage(id: string): void {
    this.#contents.set(id, this.#contents.get(id)?.subarray(0, -512) ?? new Uint8Array());
  }

  async head(id: string, sizeBytes: number) {
    return (this.#contents.get(id) ?? new Uint8Array()).subarray(0, sizeBytes);
  }

  async delete(id: string) {
    this.#contents.delete(id);
    this.#parts.delete(id);
  }

  async list() {
    return [...new Set([...this.#contents.keys(), ...this.#parts.keys()])];
  }
}

const tooLarge = (limitBytes: number): CloudError => new CloudError('too_large', 'The image is too large.', { params: { limitBytes } });

/** No real digest: it would be computed in a thread, and real time must not pass here. */
const factsOf = ({ length }: Uint8Array): ContentFacts => ({ sizeBytes: length, sha256: length.toString(16).padStart(64, '0') });
