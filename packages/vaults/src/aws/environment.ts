/**
 * What of the process's environment is read, by the names that all of Amazon's tools know. It is the operator's, so that
 * only methods that the operator has allowed use more of it than the region.
 */
export function environmentOf(env: NodeJS.ProcessEnv) {
  const ipv6 = env.AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE?.toLowerCase() === 'ipv6';
  const imds = env.AWS_EC2_METADATA_SERVICE_ENDPOINT || (ipv6 ? 'http://[fd00:ec2::254]' : 'http://169.254.169.254');
  return {
    region: env.AWS_REGION || env.AWS_DEFAULT_REGION || null,
    imdsDisabled: env.AWS_EC2_METADATA_DISABLED?.toLowerCase() === 'true',
    imdsEndpoint: imds.replace(/\/+$/, ''),
    /** On ECS a path at a fixed address, on EKS a whole URL. */
    containerUrl: env.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI
      ? `http://169.254.170.2${env.AWS_CONTAINER_CREDENTIALS_RELATIVE_URI}`
      : (env.AWS_CONTAINER_CREDENTIALS_FULL_URI ?? null),
    containerToken: env.AWS_CONTAINER_AUTHORIZATION_TOKEN ?? null,
    containerTokenFile: env.AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE ?? null,
  };
}
