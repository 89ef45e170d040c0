import { z } from 'zod';

/** Where Kubernetes puts the token of a pod's service account. */
const serviceAccountToken = '/var/run/secrets/kubernetes.io/serviceaccount/token';

const loopback = /^(localhost|127(\.\d{1,3}){3}|\[::1\])$/;

const text = (name: string) => z.string(`${name} must be text`).min(1, `${name} must not be empty`);

/** Pasted or read from a file, a credential often ends in a newline, which is no part of it. */
const credential = (name: string) =>
  z
    .string(`${name} must be text`)
    .overwrite((value) => value.trimEnd())
    .min(1, `${name} must not be empty`);

/** What is sent in a header, where other characters would break the connection. */
const headerCredential = (name: string) =>
  credential(name).regex(/^[\x21-\x7e]*$/, `${name} must be of ASCII characters without spaces`);

/** Mounts and namespaces are written with or without slashes around them; inside they have none. */
const mountPath = (name: string) =>
  text(name)
    .overwrite((path) => path.replace(/^\/+|\/+$/g, ''))
    .regex(
      /^(?!\.{1,2}(\/|$))[^/?#%\s]+(\/(?!\.{1,2}(\/|$))[^/?#%\s]+)*$/,
      `${name} must be a path such as "secret" or "team/kv"`,
    );

const pem = (name: string, label: string) =>
  z
    .string(`${name} must be PEM text`)
    .regex(new RegExp(`-----BEGIN [A-Z ]*${label}-----`), `${name} must be PEM text, not a file name`);

const address = z.string('address is required, such as https://vault.example.com:8200').superRefine((value, issues) => {
  const url = URL.canParse(value) ? new URL(value) : null;
  if (!url || !/^https?:$/.test(url.protocol))
    issues.addIssue({ code: 'custom', message: 'address must be a URL such as https://vault.example.com:8200' });
  else if (url.username || url.password || url.search || url.hash)
    issues.addIssue({ code: 'custom', message: 'address must not hold credentials, a query or a fragment' });
});

/** A certificate of our own for mTLS, whatever the method. */
const clientCertificate = {
  client_cert: pem('client_cert', 'CERTIFICATE').optional(),
  client_key: pem('client_key', 'PRIVATE KEY').optional(),
};

const auth = z
  .discriminatedUnion(
    'method',
    [
      z.strictObject({ method: z.literal('token'), token: headerCredential('token'), ...clientCertificate }),
      z.strictObject({
        method: z.literal('approle'),
        role_id: credential('role_id'),
        secret_id: credential('secret_id').optional(),
        wrapped_secret_id: headerCredential('wrapped_secret_id')
          .describe('A wrapping token of a secret_id. It is unwrapped once, before the settings are stored.')
          .optional(),
        mount_path: mountPath('mount_path').default('approle'),
        ...clientCertificate,
      }),
      z.strictObject({
        method: z.literal('kubernetes'),
        role: text('role'),
        jwt: credential('jwt').optional(),
        jwt_path: text('jwt_path')
          .describe('A file that the operator allows to be read; it is read again at each login.')
          .default(serviceAccountToken),
        mount_path: mountPath('mount_path').default('kubernetes'),
        ...clientCertificate,
      }),
    ],
    'method must be one of token, approle, kubernetes',
  )
  .superRefine((value, issues) => {
    if (value.method === 'approle' && (value.secret_id === undefined) === (value.wrapped_secret_id === undefined))
      issues.addIssue({
        code: 'custom',
        path: ['secret_id'],
        message: 'give secret_id or wrapped_secret_id, one of them',
      });
    if ((value.client_cert === undefined) !== (value.client_key === undefined))
      issues.addIssue({ code: 'custom', path: ['client_cert'], message: 'give client_cert and client_key together' });
  });

export const configSchema = z
  .strictObject({
    address,
    namespace: mountPath('namespace')
      .regex(/^[ -~]*$/, 'namespace must be of ASCII characters')
      .optional(),
    mount: mountPath('mount').default('secret'),
    kv_version: z.union([z.literal(1), z.literal(2)], 'kv_version must be 1 or 2, or left out').optional(),
    allow_http: z
      .boolean('allow_http must be true or false')
      .describe('Lets tokens and secrets travel unencrypted to a host that is not this machine.')
      .default(false),
    tls: z
      .strictObject({
        ca_cert: pem('ca_cert', 'CERTIFICATE').optional(),
        server_name: text('server_name')
          .regex(/^[\x21-\x7e]*$/, 'server_name must be a host name')
          .optional(),
      })
      .optional(),
    auth,
  })
  .superRefine((config, issues) => {
    if (!URL.canParse(config.address)) return;
    const { protocol, hostname } = new URL(config.address);
    if (protocol === 'http:' && !config.allow_http && !loopback.test(hostname))
      issues.addIssue({
        code: 'custom',
        path: ['address'],
        message: 'address is not encrypted: use https, or set allow_http to true for a network you trust',
      });
  });

export type HashicorpConfig = z.output<typeof configSchema>;
export type HashicorpAuth = HashicorpConfig['auth'];
