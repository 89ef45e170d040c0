import { vaultFailure } from '@keyferry/core';
import { untilAborted } from '../common/until-aborted.ts';
import { type AwsConfig, isAmbient } from './config.ts';
import { environmentOf } from './environment.ts';
import { instanceRegion } from './instance-metadata.ts';
import type { MetadataClient } from './metadata-client.ts';
import { regionProblem } from './region-name.ts';

/**
 * The region of the settings, else that of the process's environment, else, with the machine's own identity, that of
 * the machine. Throws `config_invalid` where there is none, or none to be.
 */
export function createRegion(
  config: AwsConfig,
  ask: MetadataClient,
  life: AbortSignal,
): (signal: AbortSignal) => Promise<string> {
  const known = config.region ?? environmentOf(process.env).region;
  if (known !== null) {
    const problem = regionProblem(known);
    if (problem !== null) throw unusable(`AWS_REGION ${problem}`);
    return async () => known;
  }
  if (!isAmbient(config.auth)) throw missing();

  let asked: Promise<string> | null = null;
  async function find(): Promise<string> {
    const found = await instanceRegion(ask, life);
    if (found === null || regionProblem(found) !== null) throw missing();
    return found;
  }
  return (signal) => {
    asked ??= find().catch((error) => {
      asked = null;
      throw error;
    });
    return untilAborted(asked, signal);
  };
}

const missing = () => unusable('region is missing, and neither AWS_REGION nor this machine tells it; set region');

function unusable(why: string) {
  return vaultFailure('invalid', `The settings can’t be used. ${why}.`, { code: 'config_invalid' });
}
