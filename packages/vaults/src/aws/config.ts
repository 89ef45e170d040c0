import { z } from 'zod';
import {
  address,
  allowHttp,
  credential,
  headerCredential,
  isUnencrypted,
  pem,
  text,
  unencrypted,
} from '../common/config-fields.ts';
import { certificateProblem } from '../common/pem.ts';
import { takesOperators } from './hosts.ts';
import { regionProblem } from './region-name.ts';

const exampleRole = 'arn:aws:iam::111122223333:role/keyferry';

const roleArn = (name: string) =>
  text(name).regex(
    /^arn:aws[a-z-]*:iam::\d{12}:role\/[\w+=,.@/-]+$/,
    `${name} must be the ARN of an IAM role, such as ${exampleRole}`,
  );

const externalId = text('external_id').regex(
  /^(?!arn:)[\w+=,.@:/-]{2,1224}$/,
  'external_id must be what the owner of the role has set there, of letters, digits and any of _+=,.@:/-; it is no ARN',
);

/** Roles to take on, one after the other, whatever the credentials to begin with. */
const furtherRoles = {
  session_name: text('session_name')
    .regex(/^[\w+=,.@-]{2,64}$/, 'session_name must be 2 to 64 letters, digits and any of _+=,.@-; it is no ARN')
    .describe('What CloudTrail shows as the session; keyferry by default.')
    .optional(),
  role_chain: z
    .array(
      z.strictObject({ role_arn: roleArn('role_arn'), external_id: externalId.optional() }),
      'role_chain must be a list of objects with role_arn',
    )
    .max(8, 'role_chain may have 8 roles at most')
    .optional(),
};

const firstRole = {
  role_arn: roleArn('role_arn').optional(),
  external_id: externalId.optional(),
  ...furtherRoles,
};

const auth = z
  .discriminatedUnion(
    'method',
    [
      z.strictObject({
        method: z.literal('static'),
        access_key_id: credential('access_key_id').regex(
          /^\w+$/,
          'access_key_id must be letters and digits; it is no ARN',
        ),
        secret_access_key: headerCredential('secret_access_key'),
        session_token: headerCredential('session_token').optional(),
        ...firstRole,
      }),
      z.strictObject({
        method: z.literal('web_identity'),
        role_arn: roleArn('role_arn'),
        token: headerCredential('token').optional(),
        token_file: text('token_file')
          .describe('A file that the operator allows to be read; it is read again at each login.')
          .optional(),
        ...furtherRoles,
      }),
      z.strictObject({ method: z.literal('instance'), ...firstRole }),
      z.strictObject({ method: z.literal('container'), ...firstRole }),
      z.strictObject({ method: z.literal('default'), ...firstRole }),
    ],
    'method must be one of static, web_identity, instance, container, default',
  )
  .superRefine((value, issues) => {
    const refuse = (field: string, message: string) => issues.addIssue({ code: 'custom', path: [field], message });
    if (value.method === 'web_identity') {
      if ((value.token === undefined) === (value.token_file === undefined))
        refuse('token_file', 'give token or token_file, one of them');
      return;
    }
    if (value.external_id !== undefined && value.role_arn === undefined)
      refuse('external_id', 'external_id belongs to role_arn; give both, or put it beside its role in role_chain');
    if (value.method === 'static' && value.access_key_id.startsWith('ASIA') && value.session_token === undefined)
      refuse(
        'session_token',
        'access_key_id begins with ASIA, so it is temporary: give the session_token that came with it',
      );
  });

const kmsKey =
  /^(arn:aws[a-z-]*:kms:[a-z0-9-]+:\d{12}:(key|alias)\/[\w/-]+|alias\/[\w/-]+|mrk-[0-9a-f]{32}|[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12})$/;

const recoveryWindow = 'recovery_window_days must be a whole number from 7 to 30';

export const configSchema = z
  .strictObject({
    region: z
      .string('region must be text, such as us-east-1')
      .superRefine((value, issues) => {
        const problem = regionProblem(value);
        if (problem !== null) issues.addIssue({ code: 'custom', message: `region ${problem}` });
      })
      .optional(),
    endpoint: address('endpoint', 'https://vpce-0123.secretsmanager.us-east-1.vpce.amazonaws.com').optional(),
    sts_endpoint: address('sts_endpoint', 'https://sts.us-east-1.amazonaws.com').optional(),
    allow_http: allowHttp,
    tls: z.strictObject({ ca_cert: pem('ca_cert', 'CERTIFICATE').optional() }).optional(),
    kms_key_id: text('kms_key_id')
      .regex(kmsKey, 'kms_key_id must be the id or ARN of a KMS key, or of an alias such as alias/secrets')
      .describe('Of secrets that Keyferry creates; the account’s own key for Secrets Manager by default.')
      .optional(),
    recovery_window_days: z
      .int(recoveryWindow)
      .min(7, recoveryWindow)
      .max(30, recoveryWindow)
      .describe('How long a secret that Keyferry removes can be restored.')
      .default(30),
    auth,
  })
  .superRefine((config, issues) => {
    for (const field of ['endpoint', 'sts_endpoint'] as const) {
      const url = config[field];
      if (url === undefined) continue;
      const refuse = (message: string) => issues.addIssue({ code: 'custom', path: [field], message });
      if (!config.allow_http && isUnencrypted(url)) refuse(unencrypted(field));
      else if (isOperators(config.auth) && !takesOperators(url))
        refuse(`${field} must be Amazon’s for credentials that are the operator’s: leave it out`);
    }
    const problem = config.tls?.ca_cert ? certificateProblem(config.tls.ca_cert) : null;
    if (problem !== null) issues.addIssue({ code: 'custom', path: ['tls', 'ca_cert'], message: `ca_cert ${problem}` });
  });

export type AwsConfig = z.output<typeof configSchema>;
export type AwsAuth = AwsConfig['auth'];

/** Whether credentials are the operator's: the machine's own, or a file's. */
function isOperators(auth: AwsAuth): boolean {
  return isAmbient(auth) || (auth.method === 'web_identity' && auth.token_file !== undefined);
}

/** Whether credentials are the machine's own. */
export function isAmbient({ method }: AwsAuth): boolean {
  return method === 'instance' || method === 'container' || method === 'default';
}
