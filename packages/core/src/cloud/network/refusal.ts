import { CloudError } from '../../kernel/index.ts';

/** Input that makes no sense, with the field. */
export const invalid = (pointer: string, message: string): CloudError => new CloudError('invalid_input', message, { pointer });
