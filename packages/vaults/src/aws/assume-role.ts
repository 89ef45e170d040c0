import type { Credentials as SdkCredentials } from '@aws-sdk/client-sts';
import { classOf } from '@keyferry/core';
import type { Credentials } from './clients.ts';
import { malformed } from './errors.ts';
import { type LoginParts, refused } from './login.ts';

export interface RoleToAssume {
  /** Its setting, for messages: the ARN is under `auth`, of which nothing is shown. */
  field: string;
  arn: string;
  externalId?: string;
}

export interface RoleAssumer {
  assume(role: RoleToAssume, by: Credentials, signal: AbortSignal): Promise<Credentials>;
  /** By a token of an identity provider, unsigned. */
  assumeWithToken(role: RoleToAssume, token: string, signal: AbortSignal): Promise<Credentials>;
}

/** Takes on roles at the security token service. */
export function createRoleAssumer(sessionName: string, { clients, call, region }: LoginParts): RoleAssumer {
  /** What is sent are the settings, so that whatever is forbidden is a refusal of the credentials. */
  async function lend(
    what: string,
    why: string,
    signal: AbortSignal,
    send: (options: { abortSignal: AbortSignal }) => Promise<{ Credentials?: SdkCredentials | undefined }>,
  ): Promise<Credentials> {
    try {
      return await call('login', what, signal, async (options) => lentCredentials(await send(options), what));
    } catch (error) {
      if (classOf(error) === 'forbidden') throw refused(what, why);
      throw error;
    }
  }

  return {
    async assume({ field, arn, externalId }, by, signal) {
      const { AssumeRoleCommand } = await import('@aws-sdk/client-sts');
      const client = clients.tokenService(by, await region(signal));
      const command = new AssumeRoleCommand({
        RoleArn: arn,
        RoleSessionName: sessionName,
        ...(externalId !== undefined && { ExternalId: externalId }),
      });
      const why = 'it does not trust these credentials with this external_id, or their policies do not allow it (403)';
      return lend(`assume the role of auth.${field}`, why, signal, (options) => client.send(command, options));
    },

    async assumeWithToken({ field, arn }, token, signal) {
      const { AssumeRoleWithWebIdentityCommand } = await import('@aws-sdk/client-sts');
      const client = clients.tokenService(null, await region(signal));
      const command = new AssumeRoleWithWebIdentityCommand({
        RoleArn: arn,
        RoleSessionName: sessionName,
        WebIdentityToken: token,
      });
      const why = 'the role does not trust the web identity token (403)';
      return lend(`assume the role of auth.${field}`, why, signal, (options) => client.send(command, options));
    },
  };
}

function lentCredentials({ Credentials }: { Credentials?: SdkCredentials | undefined }, what: string): Credentials {
  const { AccessKeyId, SecretAccessKey, SessionToken, Expiration } = Credentials ?? {};
  if (!AccessKeyId || !SecretAccessKey || !SessionToken || !Expiration || Number.isNaN(Expiration.getTime()))
    throw malformed(what);
  return {
    accessKeyId: AccessKeyId,
    secretAccessKey: SecretAccessKey,
    sessionToken: SessionToken,
    expiresAt: Expiration.getTime(),
  };
}
