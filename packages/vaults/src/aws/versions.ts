import type { SecretVersionsListEntry } from '@aws-sdk/client-secrets-manager';
import { classOf } from '@keyferry/core';
import { pageTrail } from '../common/page-trail.ts';
import type { SecretReading, SecretVersion } from '../contract.ts';
import type { Container } from './container.ts';
import type { Describe } from './describe.ts';
import { malformed } from './errors.ts';
import type { ReadValue } from './read.ts';
import type { Ask } from './session.ts';
import { readingOf } from './value.ts';

/** The most that AWS gives at a time. */
const pageSize = 100;

/** All versions that AWS still has, those without labels too, but for one that a rotation has only begun to make. */
export function createVersions(ask: Ask, describe: Describe, container: Container) {
  async function readPage(path: string, token: string | undefined, signal: AbortSignal) {
    const { ListSecretVersionIdsCommand } = await import('@aws-sdk/client-secrets-manager');
    const what = `list the versions of "${path}"`;
    const command = new ListSecretVersionIdsCommand({
      SecretId: path,
      MaxResults: pageSize,
      IncludeDeprecated: true,
      ...(token !== undefined && { NextToken: token }),
    });
    return ask('history', what, signal, async ({ client, options }) => {
      const { Versions, NextToken } = await client.send(command, options);
      if (!Array.isArray(Versions)) throw malformed(what);
      return { versions: Versions.map((entry) => versionOf(entry, what)), next: NextToken };
    });
  }

  return async (path: string, signal: AbortSignal): Promise<SecretVersion[]> => {
    const all: SecretVersion[] = [];
    const follow = pageTrail(() => malformed(`list the versions of "${path}"`));
    let token: string | undefined;
    try {
      // The versions of a secret that is scheduled for deletion are listed as if nothing were the matter.
      const { scheduled } = await describe('metadata', path, signal);
      do {
        const { versions, next } = await readPage(path, token, signal);
        all.push(...versions.filter((version) => !isPending(version)));
        token = follow(next);
      } while (token !== undefined);
      if (scheduled) for (const version of all) version.state = 'deleted';
    } catch (error) {
      if (classOf(error) === 'not_found') await container.prove(signal);
      throw error;
    }
    // Of those of one moment, the later one is further down in the answer.
    return all.reverse().sort((a, b) => Number(b.current) - Number(a.current) || timeOf(b) - timeOf(a));
  };
}

/** One of them, with the tags that the secret has now: AWS keeps none of earlier versions. */
export function createVersionReader(readValue: ReadValue, describe: Describe, container: Container) {
  return async (path: string, version: string, signal: AbortSignal): Promise<SecretReading> => {
    try {
      const stored = await readValue('history', path, version, signal);
      return readingOf(stored, (await describe('metadata', path, signal)).facts);
    } catch (error) {
      if (classOf(error) === 'not_found') await container.prove(signal);
      throw error;
    }
  };
}

function versionOf(
  { VersionId, CreatedDate, VersionStages = [] }: SecretVersionsListEntry,
  what: string,
): SecretVersion {
  if (typeof VersionId !== 'string' || !Array.isArray(VersionStages)) throw malformed(what);
  return {
    version: VersionId,
    createdAt: CreatedDate instanceof Date ? CreatedDate : null,
    state: 'available',
    current: VersionStages.includes('AWSCURRENT'),
    labels: [...VersionStages],
  };
}

/** A rotation that is under way, or was given up: this was never the secret's value. */
const isPending = ({ current, labels }: SecretVersion) =>
  labels.includes('AWSPENDING') && !current && !labels.includes('AWSPREVIOUS');

const timeOf = ({ createdAt }: SecretVersion) => createdAt?.getTime() ?? 0;
