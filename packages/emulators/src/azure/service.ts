import type { IncomingMessage } from 'node:http';
import type { RequestFacts } from '../http/faults.ts';
import type { Exchange, Service } from '../http/server.ts';
import { failure } from './answer.ts';
import { authorityOperationOf, serveAuthority } from './authority-routes.ts';
import { metadataPlaceOf, serveMetadata } from './metadata-routes.ts';
import { operationOf } from './operations.ts';
import { type AzureRequest, bearerOf, readRequest } from './request.ts';
import { serveVault, type Vault } from './vault-routes.ts';

/**
 * The vault, the directory and the metadata service of a machine, told apart by their paths. A request to the vault
 * without a token is a `Challenge`, whatever it asks for, since that is all it gets.
 */
export function azureService(vault: Vault, seen: (message: IncomingMessage) => void): Service {
  const receive = (message: IncomingMessage): Exchange => {
    seen(message);
    const request = readRequest(message);
    const path = request.segments?.join('/') ?? message.url ?? '';
    const place = metadataPlaceOf(request);
    if (place !== null) {
      const answer = () => serveMetadata(vault.state, request, place);
      return { facts: factsOf(request, path, 'ManagedIdentityToken'), answer };
    }
    const asked = authorityOperationOf(request);
    if (asked !== null) {
      const answer = (body: Buffer) => serveAuthority(vault.state, request, asked, body);
      return { facts: factsOf(request, path, asked), answer };
    }
    const operation = operationOf(request);
    const name = bearerOf(request) === null ? 'Challenge' : (operation?.operation ?? null);
    const answer = (body: Buffer) => serveVault(vault, request, operation, body);
    return { facts: factsOf(request, operation?.name ?? path, name), answer };
  };
  return { receive, tooLarge: () => failure(413, 'RequestEntityTooLarge', 'The request body is too large.') };
}

function factsOf({ method }: AzureRequest, path: string, operation: string | null): RequestFacts {
  return { method, path, operation, namespace: '' };
}
