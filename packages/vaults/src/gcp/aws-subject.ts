import type { TokenRequests } from './token-requests.ts';

/** Of the regions where AWS says who somebody is, the one that is never switched off. */
const usualRegion = 'us-east-1';

const what = 'prove this machine’s identity in AWS';

/**
 * A request that asks AWS who this machine is, signed by the machine's own identity there and sent to Google alone, which
 * asks AWS with it. It names the audience, so that it is good for nothing else.
 */
export async function awsSubjectToken(audience: string, requests: TokenRequests, signal: AbortSignal): Promise<string> {
  const [{ AwsRequestSigner }, { fromNodeProviderChain }] = await Promise.all([
    import('google-auth-library'),
    import('@aws-sdk/credential-providers'),
  ]);
  const region = process.env.AWS_REGION || process.env.AWS_DEFAULT_REGION || usualRegion;
  const signer = new AwsRequestSigner(async () => {
    const identity = await requests.own(what, signal, () => fromNodeProviderChain()());
    const { accessKeyId, secretAccessKey, sessionToken: token } = identity;
    return { accessKeyId, secretAccessKey, ...(token !== undefined && { token }) };
  }, region);
  const url = `https://sts.${region}.amazonaws.com?Action=GetCallerIdentity&Version=2011-06-15`;
  const headers = { 'x-goog-cloud-target-resource': audience };
  const { method, headers: signed } = await signer.getRequestOptions({ url, method: 'POST', headers });
  const pairs = [...new Headers(signed)].map(([key, value]) => ({ key, value }));
  return encodeURIComponent(JSON.stringify({ url, method, headers: pairs }));
}
