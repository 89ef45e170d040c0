import type { BatchGetSecretValueResponse } from '@aws-sdk/client-secrets-manager';
import { classOf } from '@keyferry/core';
import { pageTrail } from '../common/page-trail.ts';
import { failureOfEntry, malformed } from './errors.ts';
import { partsOfArn } from './name.ts';
import type { Ask } from './session.ts';
import { type StoredValue, storedValue } from './value.ts';

export interface BatchReader {
  /** False once AWS has forbidden reading in batches as such, which is a permission of its own. */
  readonly allowed: boolean;
  /**
   * What came of each of up to 20 secrets that the answer speaks of: those that aren't in it are left out. Rejects with
   * what failed for all of them.
   */
  read(paths: readonly string[], signal: AbortSignal): Promise<Map<string, StoredValue | Error>>;
}

export function createBatchReader(ask: Ask): BatchReader {
  let allowed = true;

  async function readPage(paths: readonly string[], token: string | undefined, signal: AbortSignal) {
    const { BatchGetSecretValueCommand } = await import('@aws-sdk/client-secrets-manager');
    const others = paths.length === 1 ? '' : ` and ${paths.length - 1} more at once`;
    const what = `read "${paths[0]}"${others}`;
    const command = new BatchGetSecretValueCommand({
      SecretIdList: [...paths],
      ...(token !== undefined && { NextToken: token }),
    });
    return ask('read', what, signal, async ({ client, options }) => {
      const page = await client.send(command, options);
      const { SecretValues, Errors } = page;
      if (!Array.isArray(SecretValues) || (Errors !== undefined && !Array.isArray(Errors))) throw malformed(what);
      return page;
    });
  }

  return {
    get allowed() {
      return allowed;
    },
    async read(paths, signal) {
      const found = new Map<string, StoredValue | Error>();
      const follow = pageTrail(() => malformed(`read "${paths[0]}"`));
      let token: string | undefined;
      try {
        do {
          const page = await readPage(paths, token, signal);
          for (const [path, came] of outcomesIn(page)) if (paths.includes(path)) found.set(path, came);
          token = follow(page.NextToken);
        } while (token !== undefined);
      } catch (error) {
        if (classOf(error) === 'forbidden') allowed = false;
        throw error;
      }
      return found;
    },
  };
}

function* outcomesIn({
  SecretValues = [],
  Errors = [],
}: BatchGetSecretValueResponse): Iterable<[string, StoredValue | Error]> {
  for (const entry of SecretValues) {
    const path = String(entry.Name);
    yield [path, attempt(() => storedValue(entry, `read "${path}"`))];
  }
  for (const { SecretId, ErrorCode = '', Message = '' } of Errors) {
    // Told by name as it was asked for, or by ARN.
    const path = partsOfArn(SecretId)?.name ?? String(SecretId);
    yield [path, failureOfEntry(ErrorCode, Message, `read "${path}"`)];
  }
}

function attempt(read: () => StoredValue): StoredValue | Error {
  try {
    return read();
  } catch (error) {
    return error instanceof Error ? error : malformed('read a secret');
  }
}
