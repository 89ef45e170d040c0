import { withReal } from './real.ts';
import { describeConformance } from './suite.ts';
import { awsTargets } from './targets/aws.ts';

for (const target of withReal(awsTargets)) describeConformance(target);
