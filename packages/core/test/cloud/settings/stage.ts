import { Type } from 'typebox';
import { Api, type ApiResponse, defineSetting, jsonBody, type Plugin, type Principal } from '../../../src/kernel/index.ts';
import type { SimCloudOptions } from '../../../testing/index.ts';
import { LittleCloud } from '../little-cloud.ts';

export const comfort = defineSetting({
  name: 'racks.comfort',
  description: 'How hosts are kept.',
  schema: Type.Object({ degrees: Type.Integer({ minimum: 10, maximum: 40 }), quiet: Type.Optional(Type.Boolean()) }),
  default: { degrees: 20 },
  levels: ['zone', 'host'],
  check: ({ degrees, quiet }) => (quiet === true && degrees < 15 ? { reason: 'loud', message: 'Fans are not quiet then.' } : undefined),
});
export const racks: Plugin = { id: 'racks', version: '1', settings: [comfort] };

export interface Asked {
  readonly body?: object;
  readonly headers?: Readonly<Record<string, string>>;
  readonly principal?: Principal;
}

/** A little cloud with a host, asked over the API. */
export class Stage {
  readonly cloud: LittleCloud;
  zoneId = '';
  hostId = '';

  constructor(cloud: LittleCloud) {
    this.cloud = cloud;
  }

  static async open(options: Partial<SimCloudOptions> = {}): Promise<Stage> {
    const stage = new Stage(await LittleCloud.open({ plugins: [racks], ...options }));
    stage.hostId = await stage.cloud.host('hv1');
    stage.zoneId = String(stage.cloud.sim.rows('zone')[0]?.id);
    return stage;
  }

  get sim() {
    return this.cloud.sim;
  }

  ask(method: string, path: string, { body, headers = {}, principal = this.sim.principal }: Asked = {}): Promise<ApiResponse> {
    return this.sim.environment.complete(
      new Api(this.sim.kernel).handle({
        ...{ method, url: `/v1/${path}`, principal, requestId: 'r', signal: new AbortController().signal, acceptsSocket: false },
        headers: { prefer: 'wait=60', ...headers },
        ...(body === undefined ? {} : { body: jsonBody(body) }),
      }),
    );
  }

  async json(method: string, path: string, asked: Asked = {}) {
    const answer = await this.ask(method, path, asked);
    return { status: answer.status, ...JSON.parse(String(answer.body)) };
  }

  /** Of a resource, e.g. `host/hv1`, or of the whole cloud. */
  on(resource?: 'host' | 'zone'): object {
    return resource === undefined ? {} : { resourceKind: resource, resourceId: resource === 'host' ? this.hostId : this.zoneId };
  }

  set(key: string, value: unknown, resource?: 'host' | 'zone', asked: Omit<Asked, 'body'> = {}) {
    return this.json('POST', 'setting-values/actions/set', { ...asked, body: { key, value, ...this.on(resource) } });
  }

  reset(valueId: string): Promise<ApiResponse> {
    return this.ask('POST', `setting-values/${valueId}/reset`, { body: {} });
  }

  async effective(key: string, resource?: string, principal?: Principal) {
    const [resourceKind = '', name = ''] = resource?.split('/') ?? [];
    const query = new URLSearchParams({ key, ...(resource === undefined ? {} : { resourceKind, resource: name }) });
    return this.json('GET', `settings/effective?${query}`, principal === undefined ? {} : { principal });
  }

  /** Value and level, and those behind it. */
  async chain(key: string, resource?: string): Promise<readonly string[]> {
    const { items } = await this.effective(key, resource);
    const [{ overrides, ...first }] = items;
    return [first, ...overrides].map(({ value, level, resourceName }) =>
      [JSON.stringify(value), level, ...(resourceName === undefined ? [] : [resourceName])].join(' '),
    );
  }

  async changes(): Promise<readonly string[]> {
    const { items } = await this.json('GET', 'setting-changes?sort=createdAt');
    return items.map(
      ({ key, level, resourceName, from, to, actor }: Record<string, unknown>) =>
        `${actor}: ${key} ${level}${resourceName === undefined ? '' : ` ${resourceName}`}: ${JSON.stringify(from)} -> ${JSON.stringify(to)}`,
    );
  }
}
