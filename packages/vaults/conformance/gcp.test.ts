import { withReal } from './real.ts';
import { describeConformance } from './suite.ts';
import { gcpTargets } from './targets/gcp.ts';

for (const target of withReal(gcpTargets)) describeConformance(target);
