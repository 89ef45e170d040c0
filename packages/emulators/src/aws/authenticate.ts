import { type AccessKey, refuseExpired } from './identities.ts';
import { readClaim, type SignedRequest, verify } from './signature.ts';
import type { AwsState } from './state.ts';

/** Whose request it is, and for which region, by its signature. Throws what the services answer to one that isn't right. */
export function authenticate(
  state: AwsState,
  request: SignedRequest,
  service: string,
): { key: AccessKey; region: string } {
  const claim = readClaim(request.headers);
  const token = request.headers['x-amz-security-token'];
  const key = state.identities.find(claim.accessKeyId, typeof token === 'string' ? token : undefined);
  const now = state.now();
  verify(request, claim, key.secretAccessKey, { service, regions: state.regions, now });
  refuseExpired(key, now);
  return { key, region: claim.region };
}
