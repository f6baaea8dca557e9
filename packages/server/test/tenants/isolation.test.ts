import { describeIsolation } from './isolation-suite.ts';
import { Tenancy } from './tenancy.ts';

describeIsolation('server: what one tenant learns of another', (options) => Tenancy.open(options));
