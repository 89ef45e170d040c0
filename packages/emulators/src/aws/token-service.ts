import type { Reply } from '../http/send.ts';
import { authenticate } from './authenticate.ts';
import { Refusal, throttled } from './refusal.ts';
import type { SignedRequest } from './signature.ts';
import type { AwsState } from './state.ts';
import { assumeRole, assumeRoleWithWebIdentity, getCallerIdentity, type StsCall, type XmlMembers } from './sts.ts';
import { xmlRefusal, xmlResult } from './xml.ts';

const withoutSignature = 'AssumeRoleWithWebIdentity';

/** The security token service, in the query protocol: a form in, XML out. */
export function serveTokens(
  state: AwsState,
  action: string,
  parameters: URLSearchParams,
  request: SignedRequest,
): Reply {
  try {
    return xmlResult(action, perform(state, action, parameters, request));
  } catch (error) {
    if (!(error instanceof Refusal)) throw error;
    return xmlRefusal(error, action !== withoutSignature);
  }
}

function perform(state: AwsState, action: string, parameters: URLSearchParams, request: SignedRequest): XmlMembers {
  if (parameters.get('Version') !== '2011-06-15')
    throw new Refusal('NoSuchVersion', 'The requested version is not supported.');
  if (state.quotas.exceeds(action)) throw throttled();
  const call: StsCall = { parameters, identities: state.identities, provider: state.provider, now: state.now() };
  switch (action) {
    case withoutSignature:
      // One that is there all the same has to be right.
      if (request.headers.authorization !== undefined) authenticate(state, request, 'sts');
      return assumeRoleWithWebIdentity(call);
    case 'AssumeRole':
      return assumeRole(call, authenticate(state, request, 'sts').key.principal);
    case 'GetCallerIdentity':
      return getCallerIdentity(authenticate(state, request, 'sts').key.principal);
  }
  throw new Refusal('InvalidAction', `Could not find operation ${action} for version 2011-06-15`);
}
