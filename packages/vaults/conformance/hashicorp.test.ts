import { withReal } from './real.ts';
import { describeConformance } from './suite.ts';
import { hashicorpTargets } from './targets/hashicorp.ts';

for (const target of withReal(hashicorpTargets)) describeConformance(target);
