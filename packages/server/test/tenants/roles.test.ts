import { describeRoles } from './roles-suite.ts';
import { Tenancy } from './tenancy.ts';

describeRoles('server: roles', (options) => Tenancy.open(options));
