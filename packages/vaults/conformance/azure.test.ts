import { withReal } from './real.ts';
import { describeConformance } from './suite.ts';
import { azureTargets } from './targets/azure.ts';

for (const target of withReal(azureTargets)) describeConformance(target);
