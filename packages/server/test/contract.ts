import { expect } from 'chai';
import { Compile, type Validator } from 'typebox/compile';
import type { Answer } from './server.ts';

type Json = Record<string, unknown>;
interface Response {
  readonly content?: Record<string, { readonly schema?: Json }>;
}
interface Operation {
  readonly operationId: string;
  readonly responses: Record<string, Response | { readonly $ref: string }>;
  readonly requestBody?: { readonly content: Record<string, { readonly schema?: Json }> };
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly schema: Json }[];
}
export interface ApiDocument {
  readonly paths: Record<string, Record<string, Operation>>;
  readonly components: { readonly schemas: Record<string, Json>; readonly responses: Record<string, Response> };
}

/** Holds answers to the document that the server itself publishes: status, media type, and a body with no field that is not in it. */
export class Contract {
  readonly document: ApiDocument;
  readonly #compiled = new Map<Json, Validator>();

  constructor(document: ApiDocument) {
    this.document = document;
  }

  static async of(url: string, key: string): Promise<Contract> {
    const response = await fetch(`${url}/v1/openapi.json`, { headers: { authorization: `Bearer ${key}` } });
    return new Contract((await response.json()) as ApiDocument);
  }

  check(method: string, url: string, { status, headers, json, text }: Answer): void {
    const [path = '', query] = url.split('?', 2);
    if (!path.startsWith('/v1/')) return;
    const declared = this.#response(this.#operation(method, path), status);
    expect(declared, `${method} ${path} answers ${status}, which the document does not have: ${text}`).not.to.equal(undefined);
    if (declared?.content === undefined) {
      expect(text).to.equal('');
      return;
    }
    const mediaType = (headers.get('content-type') ?? '').split(';', 1)[0] ?? '';
    // What the document calls bytes has the type that was stored with it.
    const entry = declared.content[mediaType] ?? declared.content['application/octet-stream'];
    expect(entry, `${method} ${path} answers ${status} as ${mediaType}, which the document does not have`).not.to.equal(undefined);
    if (!mediaType.endsWith('json')) return;
    // Rows have the fields that were asked for alone, as the parameter and the list's schema say: none of them is required then.
    const isParts = new URLSearchParams(query).has('fields');
    const errors = [...this.#validator(entry?.schema ?? {}).Errors(json)].filter(
      ({ keyword, instancePath }) => !(isParts && keyword === 'required' && instancePath.startsWith('/items/')),
    );
    expect(errors, `${method} ${path} ${status}: ${text}`).to.deep.equal([]);
  }

  /** What no route answers is answered with a problem all the same: there is no such path, or not with this method, or nobody was let in to see. */
  #response(operation: Operation | undefined, status: number): Response | undefined {
    if (operation === undefined) return [400, 401, 404, 405, 415, 429].includes(status) ? this.#shared(`Problem${status}`) : undefined;
    const declared = operation.responses[String(status)];
    return declared !== undefined && '$ref' in declared ? this.#shared(declared.$ref.slice(declared.$ref.lastIndexOf('/') + 1)) : declared;
  }

  #shared(name: string): Response {
    const response = this.document.components.responses[name];
    if (response === undefined) throw new Error(`the document has no response ${name}`);
    return response;
  }

  #operation(method: string, path: string): Operation | undefined {
    const segments = path.split('/');
    const candidates = Object.entries(this.document.paths)
      .map(([template, item]) => ({ parts: template.split('/'), operation: item[method.toLowerCase()] }))
      .filter(
        ({ parts }) => parts.length === segments.length && parts.every((part, index) => part.startsWith('{') || part === segments[index]),
      )
      .sort((a, b) => a.parts.filter((part) => part.startsWith('{')).length - b.parts.filter((part) => part.startsWith('{')).length);
    return candidates[0]?.operation;
  }

  #schema(name: string): Json {
    const schema = this.document.components.schemas[name];
    if (schema === undefined) throw new Error(`the document has no schema ${name}`);
    return schema;
  }

  #validator(schema: Json): Validator {
    let validator = this.#compiled.get(schema);
    if (validator === undefined) {
      validator = Compile(this.#inlined(schema) as object);
      this.#compiled.set(schema, validator);
    }
    return validator;
  }

  /** References in place, and every object closed. */
  #inlined(schema: unknown): unknown {
    if (Array.isArray(schema)) return schema.map((part) => this.#inlined(part));
    if (typeof schema !== 'object' || schema === null) return schema;
    const { $ref } = schema as { $ref?: string };
    if (typeof $ref === 'string') return this.#inlined(this.#schema($ref.slice($ref.lastIndexOf('/') + 1)));
    const copy: Json = Object.fromEntries(Object.entries(schema).map(([key, value]) => [key, this.#inlined(value)]));
    return copy.type === 'object' && 'properties' in copy && copy.additionalProperties === undefined
      ? { ...copy, additionalProperties: false }
      : copy;
  }
}
