import { parseDuration } from './duration.ts';
import { KeyferryError } from './errors.ts';

/** Reads variables of a process's environment. An empty variable counts as one that isn't set. Throws `config_invalid`. */

export type Environment = Readonly<Record<string, string | undefined>>;

export const databaseProtocols = ['postgres:', 'postgresql:'] as const;
export const redisProtocols = ['redis:', 'rediss:'] as const;

/** The URL of a server. It is never repeated in a message, since it may hold a password. */
export function urlVariable(env: Environment, name: string, protocols: readonly string[]): string {
  const value = env[name];
  if (!value) throw new KeyferryError('config_invalid', `The environment variable ${name} is not set.`);
  const protocol = /^[a-z]+:(?=\/\/)/.exec(value)?.[0] ?? '';
  if (!protocols.includes(protocol))
    throw new KeyferryError('config_invalid', `${name} has to be a URL that starts with ${protocols[0]}//.`);
  return value;
}

/** A whole number from 0 to `most`. */
export function numberVariable(env: Environment, name: string, fallback: number, most = 999_999_999): number {
  const text = env[name] || String(fallback);
  if (!/^\d{1,9}$/.test(text) || Number(text) > most)
    throw new KeyferryError('config_invalid', `${name} has to be a whole number from 0 to ${most}.`);
  return Number(text);
}

/** A duration between two others, both included, in milliseconds. */
export function durationVariable(
  env: Environment,
  name: string,
  fallback: string,
  [least, most]: readonly [least: string, most: string],
): number {
  try {
    const seconds = parseDuration(env[name] || fallback);
    if (seconds >= parseDuration(least) && seconds <= parseDuration(most)) return seconds * 1000;
  } catch {
    // The words of a duration don't tell which variable it is.
  }
  throw new KeyferryError('config_invalid', `${name} has to be a duration between ${least} and ${most}, as 1h.`);
}

export const mostPort = 65_535;

/** Names with commas between them. */
export function listVariable(env: Environment, name: string): string[] {
  return (env[name] ?? '').split(',').filter((entry) => entry !== '');
}
