import { z } from 'zod';
import { address, credential, headerCredential, pem, text } from '../common/config-fields.ts';
import { certificateProblem, privateKeyProblem } from '../common/pem.ts';
import { isServiceAccount } from './gcp-service-account.ts';

/** Where Kubernetes puts the token of a pod's service account. */
const serviceAccountToken = '/var/run/secrets/kubernetes.io/serviceaccount/token';

/** Mounts and namespaces are written with or without slashes around them; inside they have none. */
export const mountPath = (name: string) =>
  text(name)
    .overwrite((path) => path.replace(/^\/+|\/+$/g, ''))
    .regex(
      /^(?!\.{1,2}(\/|$))[^/?#%\s]+(\/(?!\.{1,2}(\/|$))[^/?#%\s]+)*$/,
      `${name} must be a path such as "secret" or "team/kv"`,
    );

const clientCert = pem('client_cert', 'CERTIFICATE');
const clientKey = pem('client_key', 'PRIVATE KEY');

/** A certificate of our own for mTLS, whatever the method. */
const clientCertificate = { client_cert: clientCert.optional(), client_key: clientKey.optional() };

const token = z.strictObject({
  method: z.literal('token'),
  token: headerCredential('token'),
  ...clientCertificate,
});

const appRole = z.strictObject({
  method: z.literal('approle'),
  role_id: credential('role_id'),
  secret_id: credential('secret_id').optional(),
  wrapped_secret_id: headerCredential('wrapped_secret_id')
    .describe('A wrapping token of a secret_id. It is unwrapped once, before the settings are stored.')
    .optional(),
  mount_path: mountPath('mount_path').default('approle'),
  ...clientCertificate,
});

const jwtPath = text('jwt_path').describe(
  'A file that the operator allows to be read; it is read again at each login.',
);

const kubernetes = z.strictObject({
  method: z.literal('kubernetes'),
  role: text('role'),
  jwt: credential('jwt').optional(),
  jwt_path: jwtPath.default(serviceAccountToken),
  mount_path: mountPath('mount_path').default('kubernetes'),
  ...clientCertificate,
});

const jwt = z.strictObject({
  method: z.literal('jwt'),
  role: text('role'),
  jwt: credential('jwt').optional(),
  jwt_path: jwtPath.optional(),
  mount_path: mountPath('mount_path').default('jwt'),
  ...clientCertificate,
});

const cert = z.strictObject({
  method: z.literal('cert'),
  name: text('name').describe('Of the role; left out, the vault looks for one that fits.').optional(),
  client_cert: clientCert,
  client_key: clientKey,
  mount_path: mountPath('mount_path').default('cert'),
});

const aws = z.strictObject({
  method: z.literal('aws'),
  role: text('role').describe('Left out, the vault takes the name of the IAM principal.').optional(),
  access_key_id: headerCredential('access_key_id').optional(),
  secret_access_key: credential('secret_access_key').optional(),
  session_token: headerCredential('session_token').optional(),
  header_value: headerCredential('header_value')
    .describe('What the vault demands in X-Vault-AWS-IAM-Server-ID, where it does.')
    .optional(),
  region: text('region')
    .regex(/^[a-z]{2}(-[a-z]+)+-\d+$/, 'region must be one such as eu-central-1')
    .optional(),
  sts_endpoint: address('sts_endpoint', 'https://sts.eu-central-1.amazonaws.com')
    .describe('Where the vault asks AWS who signed. Keyferry signs for it, and never calls it.')
    .optional(),
  mount_path: mountPath('mount_path').default('aws'),
  ...clientCertificate,
});

const gcp = z.strictObject({
  method: z.literal('gcp'),
  role: text('role'),
  jwt: credential('jwt').optional(),
  credentials_json: credential('credentials_json').optional(),
  mount_path: mountPath('mount_path').default('gcp'),
  ...clientCertificate,
});

const methods = [token, appRole, kubernetes, jwt, cert, aws, gcp] as const;
const names = methods.map(({ shape }) => shape.method.value).join(', ');

export const authSchema = z
  .discriminatedUnion('method', methods, `method must be one of ${names}`)
  .superRefine((auth, issues) => {
    for (const [field, message] of problemsOf(auth)) issues.addIssue({ code: 'custom', path: [field], message });
  });

export type HashicorpAuth = z.output<typeof authSchema>;

/** What no field shows alone. */
function problemsOf(auth: z.output<(typeof methods)[number]>): [field: string, message: string][] {
  return [...problemsOfMethod(auth), ...problemsOfPair(auth.client_cert, auth.client_key)];
}

function problemsOfMethod(auth: z.output<(typeof methods)[number]>): [string, string][] {
  switch (auth.method) {
    case 'approle':
      return oneOf('secret_id', 'wrapped_secret_id', auth);
    case 'jwt':
      return oneOf('jwt', 'jwt_path', auth);
    case 'aws':
      return problemsOfKeys(auth);
    case 'gcp':
      return problemsOfAccount(auth);
    case 'token':
    case 'kubernetes':
    case 'cert':
      return [];
  }
}

function oneOf(first: string, second: string, auth: Record<string, unknown>): [string, string][] {
  return (auth[first] === undefined) === (auth[second] === undefined)
    ? [[first, `give ${first} or ${second}, one of them`]]
    : [];
}

function problemsOfKeys(auth: z.output<typeof aws>): [string, string][] {
  if ((auth.access_key_id === undefined) !== (auth.secret_access_key === undefined))
    return [['access_key_id', 'give access_key_id and secret_access_key together']];
  return auth.session_token !== undefined && auth.access_key_id === undefined
    ? [['session_token', 'session_token goes with access_key_id and secret_access_key']]
    : [];
}

function problemsOfAccount({ jwt: given, credentials_json: json }: z.output<typeof gcp>): [string, string][] {
  if (given !== undefined && json !== undefined) return [['jwt', 'give jwt or credentials_json, not both']];
  return json === undefined || isServiceAccount(json)
    ? []
    : [['credentials_json', 'credentials_json must be the JSON of a service account’s key, as Google gives it out']];
}

/** What looks like PEM: of a field that doesn't, that alone is said. */
export function isPem(text: string): boolean {
  return text.includes('-----BEGIN ');
}

function problemsOfPair(certificate: string | undefined, key: string | undefined): [string, string][] {
  if (certificate === undefined && key === undefined) return [];
  if (certificate === undefined || key === undefined)
    return [['client_cert', 'give client_cert and client_key together']];
  // The fields themselves say so.
  if (!isPem(certificate) || !isPem(key)) return [];
  const wrongCertificate = certificateProblem(certificate);
  if (wrongCertificate !== null) return [['client_cert', `client_cert ${wrongCertificate}`]];
  const wrongKey = privateKeyProblem(key, certificate);
  return wrongKey === null ? [] : [['client_key', `client_key ${wrongKey}`]];
}
