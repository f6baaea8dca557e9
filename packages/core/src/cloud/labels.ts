import { Type } from 'typebox';

/** A few plain words about a thing, e.g. `{ "disk": "nvme" }`. */
export const labels = (description: string) =>
  Type.Record(Type.String({ minLength: 1, maxLength: 63 }), Type.String({ maxLength: 63 }), { maxProperties: 32, description });
