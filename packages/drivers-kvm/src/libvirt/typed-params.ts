/** libvirt's typed parameters: named values that carry their own type. */
import { ProtocolError } from './errors.ts';
import type { XdrReader, XdrWriter } from './xdr.ts';

/** 64-bit values are numbers where a number holds them exactly, else bigints. */
export type TypedValue = number | bigint | boolean | string;

/** What a procedure answers with: field to value. */
export type TypedParams = Readonly<Record<string, TypedValue>>;

/** What a procedure is given. The type must be the one that libvirt documents for the field; a field may occur more than once. */
export type TypedParam =
  | { readonly field: string; readonly type: 'int' | 'uint' | 'double'; readonly value: number }
  | { readonly field: string; readonly type: 'llong' | 'ullong'; readonly value: number | bigint }
  | { readonly field: string; readonly type: 'boolean'; readonly value: boolean }
  | { readonly field: string; readonly type: 'string'; readonly value: string };

const tags = { int: 1, uint: 2, llong: 3, ullong: 4, double: 5, boolean: 6, string: 7 } as const;

function writeTypedParam(w: XdrWriter, param: TypedParam): void {
  w.string(param.field);
  w.int(tags[param.type]);
  switch (param.type) {
    case 'int':
      w.int(param.value);
      break;
    case 'uint':
      w.uint(param.value);
      break;
    case 'llong':
      w.bigSigned(BigInt(param.value));
      break;
    case 'ullong':
      w.big(BigInt(param.value));
      break;
    case 'double':
      w.double(param.value);
      break;
    case 'boolean':
      w.bool(param.value);
      break;
    case 'string':
      w.string(param.value);
      break;
  }
}

export function writeTypedParams(w: XdrWriter, params: readonly TypedParam[], max: number): void {
  w.list(params, max, (param) => writeTypedParam(w, param));
}

function readTypedValue(r: XdrReader): TypedValue {
  const tag = r.int();
  switch (tag) {
    case tags.int:
      return r.int();
    case tags.uint:
      return r.uint();
    case tags.llong:
      return exact(r.bigSigned());
    case tags.ullong:
      return exact(r.big());
    case tags.double:
      return r.double();
    case tags.boolean:
      return r.bool();
    case tags.string:
      return r.string();
    default:
      throw new ProtocolError(`typed parameter of unknown type ${tag}`);
  }
}

function exact(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}

export function readTypedParams(r: XdrReader, max: number): TypedParams {
  const params: Record<string, TypedValue> = {};
  r.list(max, () => {
    const field = r.string();
    params[field] = readTypedValue(r);
  });
  return params;
}
