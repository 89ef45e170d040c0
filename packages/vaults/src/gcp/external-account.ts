import { z } from 'zod';
import { isUnencrypted } from '../common/config-fields.ts';
import { member, type Read, readDocument } from './document.ts';
import { givesTokens } from './hosts.ts';

/** Where the token comes from that is exchanged for one of Google's; `field` is its name in a JSON object. */
export type SubjectSource =
  | { kind: 'file'; file: string; field: string | null }
  | { kind: 'url'; url: string; headers: Record<string, string>; field: string | null }
  /** This machine's identity in AWS, wherever AWS's own libraries find it; addresses in the configuration are not used. */
  | { kind: 'aws' };

/** A configuration of workload identity federation, as far as it is used. */
export interface ExternalAccount {
  audience: string;
  subject_token_type: string;
  token_url: string;
  /** Where the exchanged token gives one of a service account, if it is to. */
  service_account_impersonation_url?: string | undefined;
  lifetimeSeconds: number;
  source: SubjectSource;
}

/** The instance metadata service of Azure and AWS. Asked for a token, it gives one of this machine's own identity. */
const instanceMetadata = 'http://169.254.169.254';

const pool =
  /^\/\/iam\.googleapis\.com\/projects\/\d+\/locations\/[\w-]+\/workloadIdentityPools\/[\w-]+\/providers\/[\w-]+$/;

const headerMap = z.record(
  z.string().regex(/^[\w-]+$/, 'a name in the headers of its credential_source is not valid'),
  z.string().regex(/^[\x20-\x7e]*$/, 'a value in the headers of its credential_source is not valid'),
  'the headers of its credential_source must be texts by name',
);

const source = z
  .looseObject(
    {
      file: member('credential_source.file').optional(),
      url: member('credential_source.url').optional(),
      environment_id: member('credential_source.environment_id').optional(),
      headers: headerMap.default({}),
      format: z
        .looseObject({
          type: z.enum(['text', 'json'], 'its member credential_source.format.type must be text or json'),
          subject_token_field_name: member('credential_source.format.subject_token_field_name').optional(),
        })
        .default({ type: 'text' }),
    },
    'its member credential_source is missing',
  )
  .superRefine((value, issues) => {
    const problem = problemOf(value);
    if (problem !== null) issues.addIssue({ code: 'custom', message: problem });
  })
  .transform(({ file, url = '', headers, format, environment_id }): SubjectSource => {
    if (environment_id !== undefined) return { kind: 'aws' };
    const field = format.type === 'json' ? (format.subject_token_field_name ?? '') : null;
    if (file !== undefined) return { kind: 'file', file, field };
    // As it was judged: what is sent is cut out of the text, in which a backslash or dots mean something else.
    return { kind: 'url', url: new URL(url).href, headers, field };
  });

interface Named {
  file?: string | undefined;
  url?: string | undefined;
  environment_id?: string | undefined;
  format: { type: string; subject_token_field_name?: string | undefined };
}

/** A program is never run for what a tenant has written. */
function problemOf(value: Named): string | null {
  if ('executable' in value)
    return 'its credential_source names a program, and Keyferry runs none: use a file or a url';
  if ('certificate' in value)
    return 'its credential_source is a certificate, which is not supported: use a file or a url';
  const { file, url, environment_id: environment, format } = value;
  if (environment !== undefined) return environment === 'aws1' ? null : 'its environment_id is none but aws1';
  if ((file === undefined) === (url === undefined))
    return 'its credential_source must name a file or a url, one of them';
  if (url !== undefined && !isTokenSource(url))
    return 'its member credential_source.url must be https, or the metadata service of an Azure machine';
  if (format.type === 'json' && format.subject_token_field_name === undefined)
    return 'its member credential_source.format.subject_token_field_name is missing';
  return null;
}

function isTokenSource(url: string): boolean {
  if (isMachineIdentity(url)) return new URL(url).pathname.startsWith('/metadata/identity/');
  if (!URL.canParse(url)) return false;
  const { protocol, username, password } = new URL(url);
  return /^https?:$/.test(protocol) && username === '' && password === '' && !isUnencrypted(url);
}

/** Whether the token that a URL gives is of this machine's own identity. */
export function isMachineIdentity(url: string): boolean {
  return URL.canParse(url) && new URL(url).origin === instanceMetadata;
}

/** Where a configuration says that the token comes from, whatever else it says; null if it says nothing of use. */
export function readSource(text: string): SubjectSource | null {
  const read = readDocument(text, 'external_account', z.looseObject({ credential_source: source }));
  return 'content' in read ? read.content.credential_source : null;
}

/** Reads a configuration. `endpoint` is the one of the settings it is for. */
export function readExternalAccount(text: string, endpoint: string | undefined): Read<ExternalAccount> {
  const trusted = (name: string) =>
    member(name).refine(
      (url) => givesTokens(url, endpoint),
      `its member ${name} must be https at googleapis.com, or at the endpoint of these settings`,
    );
  const document = z
    .looseObject({
      audience: member('audience').regex(pool, 'its member audience is no provider of a workload identity pool'),
      subject_token_type: member('subject_token_type'),
      token_url: trusted('token_url').default('https://sts.googleapis.com/v1/token'),
      service_account_impersonation_url: trusted('service_account_impersonation_url')
        .regex(/:generateAccessToken$/, 'its member service_account_impersonation_url must end in :generateAccessToken')
        .optional(),
      service_account_impersonation: z
        .looseObject({
          token_lifetime_seconds: z
            .int('its member token_lifetime_seconds must be a number from 600 to 43200')
            .min(600, 'its member token_lifetime_seconds must be at least 600')
            .max(43_200, 'its member token_lifetime_seconds must be at most 43200')
            .optional(),
        })
        .optional(),
      credential_source: source,
    })
    .transform(
      ({ service_account_impersonation: impersonation, credential_source, ...rest }): ExternalAccount => ({
        ...rest,
        lifetimeSeconds: impersonation?.token_lifetime_seconds ?? 3_600,
        source: credential_source,
      }),
    );
  return readDocument(text, 'external_account', document);
}
