import { type Answer, openServer, type TestServer } from '../server.ts';

/** Asks with a token of its own, in a project if one is named. */
export type Ask = (method: string, path: string, body?: unknown, headers?: Record<string, string>) => Promise<Answer>;

export interface Tenant {
  readonly accountId: string;
  readonly projectId: string;
  /** A session of its administrator. */
  readonly admin: Ask;
  readonly token: string;
}

export const PASSWORD = 'correct horse battery';

export class Tenancy {
  readonly server: TestServer;

  private constructor(server: TestServer) {
    this.server = server;
  }

  static async open(options: Parameters<typeof openServer>[0] = {}): Promise<Tenancy> {
    return new Tenancy(await openServer({ cloud: true, config: { kvm: { enabled: false } }, ...options }));
  }

  as(token: string, project?: string): Ask {
    const own = { authorization: `Bearer ${token}`, ...(project === undefined ? {} : { 'x-pileus-project': project }) };
    return (method, path, body, headers = {}) =>
      this.server.ask(method, path, { ...(body === undefined ? {} : { body }), headers: { prefer: 'wait=60', ...own, ...headers } });
  }

  root(project?: string): Ask {
    return this.as(this.server.key, project);
  }

  /** An account with a project `default` and an administrator `admin`, who has signed in. */
  async tenant(name: string): Promise<Tenant> {
    const root = this.root();
    const accountId = await made(root, '/v1/accounts', { name });
    const projects = await root('GET', `/v1/projects?allProjects=true&accountId=${accountId}`);
    const projectId = projects.json.items[0].id as string;
    const token = await this.user(projectId, name, 'admin', { role: 'accountAdmin', level: 'account' });
    return { accountId, projectId, admin: this.as(token), token };
  }

  /** A user with a role. Answers the token of a session. */
  async user(projectId: string, account: string, name: string, binding?: object): Promise<string> {
    const root = this.root(projectId);
    const userId = await made(root, '/v1/users', { name });
    expectStatus(await root('POST', `/v1/users/${userId}/password`, { password: PASSWORD }), 200);
    if (binding !== undefined) await made(root, '/v1/role-bindings', { userId, ...binding });
    return this.signIn(account, name);
  }

  async signIn(account: string, user: string, password = PASSWORD): Promise<string> {
    const answer = await this.server.ask('POST', '/v1/sessions', { body: { account, user, password }, headers: { authorization: '' } });
    return expectStatus(answer, 200).json.token as string;
  }

  /** Why whom was not let in, as the audit tells once all of it is written. */
  async refusals(): Promise<readonly (readonly [string, object])[]> {
    const { environment } = this.server.plane.kernel.services;
    // They are written within a second; what has come since that is not waited for.
    await new Promise<void>((resolve) => void environment.timers.after(1500, resolve));
    const { json } = expectStatus(await this.root()('GET', '/v1/audit?of=cloud&result=denied&limit=1000'), 200);
    return json.items.map(({ error, request }: { error: { params: { reason: string } }; request: object }) => [
      error.params.reason,
      request,
    ]);
  }

  close(): Promise<void> {
    return this.server.close();
  }
}

export function expectStatus(answer: Answer, status: number): Answer {
  if (answer.status !== status) throw new Error(`answered ${answer.status}, not ${status}: ${answer.text}`);
  return answer;
}

/** The id of what was made. */
export async function made(ask: Ask, path: string, body: object): Promise<string> {
  const { json } = expectStatus(await ask('POST', path, body), 200);
  if (json.operation?.state !== 'succeeded') throw new Error(`${path}: ${JSON.stringify(json)}`);
  return json.resourceId as string;
}
