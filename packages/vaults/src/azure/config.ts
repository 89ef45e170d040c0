import { z } from 'zod';
import { address, allowHttp, isUnencrypted, pem, unencrypted } from '../common/config-fields.ts';
import { certificateProblem } from '../common/pem.ts';
import { authSchema } from './auth-fields.ts';
import { isManagedHsm, isMicrosoftAuthority } from './clouds.ts';

const example = 'https://team.vault.azure.net';

/** An address without anything after its host. */
const host = (name: string, shown: string) =>
  address(name, shown)
    .overwrite((value) => value.replace(/\/+$/, ''))
    .refine(
      (value) => !URL.canParse(value) || new URL(value).pathname === '/',
      `${name} must end with the host, such as ${shown}`,
    );

export const configSchema = z
  .strictObject({
    vault_url: host('vault_url', example).refine(
      (value) => !URL.canParse(value) || !isManagedHsm(new URL(value).hostname),
      `vault_url is a managed HSM, which holds keys and no secrets: give the address of a vault, such as ${example}`,
    ),
    authority_host: host('authority_host', 'https://login.microsoftonline.com')
      .refine(
        (value) => !URL.canParse(value) || new URL(value).protocol === 'https:',
        'authority_host must begin with https://, since credentials are sent there',
      )
      .describe(
        'Where to log in; by default the public one of the cloud that the vault is in. A machine’s own identity logs in at Microsoft’s alone.',
      )
      .optional(),
    allow_http: allowHttp,
    tls: z
      .strictObject({ ca_cert: pem('ca_cert', 'CERTIFICATE').optional() })
      .superRefine(({ ca_cert: ca }, issues) => {
        const problem = ca === undefined ? null : certificateProblem(ca);
        if (problem !== null) issues.addIssue({ code: 'custom', path: ['ca_cert'], message: `ca_cert ${problem}` });
      })
      .optional(),
    separator: z
      .string('separator must be text')
      .regex(/^[0-9a-zA-Z-]{0,8}$/, 'separator must be up to 8 letters, digits and dashes, as names have them')
      .describe('What stands for a slash in names; empty: names are paths as they are.')
      .default('--'),
    auth: authSchema,
  })
  .superRefine((config, issues) => {
    if (!config.allow_http && isUnencrypted(config.vault_url))
      issues.addIssue({ code: 'custom', path: ['vault_url'], message: unencrypted('vault_url') });
    const { auth, authority_host: authority } = config;
    // What the operator's environment holds for logins, such as a client secret, is sent there as it is.
    const operators = auth.method === 'default' || auth.method === 'managed_identity';
    if (
      operators &&
      authority !== undefined &&
      URL.canParse(authority) &&
      !isMicrosoftAuthority(new URL(authority).origin)
    )
      issues.addIssue({
        code: 'custom',
        path: ['authority_host'],
        message: `authority_host is not Microsoft’s, and the method ${auth.method} has credentials of the operator’s: leave it out, and let the operator set AZURE_AUTHORITY_HOST`,
      });
  });

export type AzureConfig = z.output<typeof configSchema>;
