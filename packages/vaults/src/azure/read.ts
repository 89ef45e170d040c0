import type { KeyVaultSecret } from '@azure/keyvault-secrets';
import { classOf, SecretValue, vaultFailure } from '@keyferry/core';
import type { CallOperation, ConnectContext, SecretReading } from '../contract.ts';
import type { Exchange } from './client.ts';
import type { Container } from './container.ts';
import { failureOf, malformed } from './errors.ts';
import type { Names } from './names.ts';
import type { Session } from './session.ts';
import { dateOf, expiryOf, metadataOf, revisionOf, vaultNow } from './state.ts';

/** A secret with what only a writer needs. */
export interface NamedReading {
  reading: SecretReading;
  /** As the vault itself writes it: it knows no difference between letters by case. */
  name: string;
  /** Null where the vault has none. */
  storedContentType: string | null;
}

export interface SecretReader {
  /** The current version, or the one named. A 404 rejects with `vault_not_found`, as the vault says it. */
  read(operation: CallOperation, path: string, signal: AbortSignal, version?: string): Promise<NamedReading>;
  /** What a 404 of a secret means, proven: it is gone for good, or can be recovered. */
  absenceOf(path: string, signal: AbortSignal): Promise<'absent' | 'deleted'>;
}

export function createReader(
  session: Session,
  names: Names,
  container: Container,
  context: ConnectContext,
): SecretReader {
  return {
    async read(operation, path, signal, version) {
      const what = version === undefined ? `read "${path}"` : `read version ${version} of "${path}"`;
      const name = names.nameOf(path, what);
      return session.ask(
        { operation, what, signal },
        (sdk) => sdk.getSecret(name, version === undefined ? {} : { version }),
        (exchange) => readingOf(session.resultOf(exchange, what), exchange, name),
      );

      function readingOf(secret: KeyVaultSecret, { answer }: Exchange<KeyVaultSecret>, asked: string): NamedReading {
        const { value, name: found, properties } = secret;
        if (typeof value !== 'string' || !properties.version || found?.toLowerCase() !== asked.toLowerCase())
          throw malformed(what);
        if (version !== undefined && properties.version.toLowerCase() !== version.toLowerCase()) throw malformed(what);
        const storedContentType = typeof properties.contentType === 'string' ? properties.contentType : null;
        const reading: SecretReading = {
          value: SecretValue.fromText(value),
          contentType: storedContentType || 'text/plain',
          version: properties.version,
          revision: revisionOf(properties, vaultNow(answer.headers, context.now())),
          createdAt: dateOf(properties.createdOn),
          expiresAt: expiryOf(properties),
          metadata: metadataOf(properties),
        };
        return { reading, name: found, storedContentType };
      }
    },

    async absenceOf(path, signal) {
      const what = `look for "${path}" among the deleted secrets`;
      const name = names.nameOf(path, what);
      const deleted = await session
        .ask({ operation: 'confirm', what, signal }, (sdk) => sdk.getDeletedSecret(name), isThere)
        .catch((error) => {
          // Whoever may read secrets need not be allowed to see deleted ones.
          if (classOf(error) === 'forbidden') return false;
          throw error;
        });
      if (deleted) return 'deleted';
      await container.prove(signal);
      return 'absent';

      function isThere({ answer, result }: Exchange<unknown>): boolean {
        if (result !== null) return true;
        const failure = failureOf(answer, what, context.now());
        if (classOf(failure) === 'not_found') return false;
        throw failure;
      }
    },
  };
}

/** The failure of a secret that is not there. */
export function goneFailure(path: string, absence: 'absent' | 'deleted') {
  return absence === 'deleted'
    ? vaultFailure('deleted', `The vault holds "${path}" as deleted; it can be recovered there.`)
    : vaultFailure('not_found', `The vault has no "${path}".`);
}
