import { X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { credential, pem, text } from '../common/config-fields.ts';
import { certificateProblem, privateKeyProblem } from '../common/pem.ts';

/** Where Azure Kubernetes Service puts the token of a pod's service account. */
const projectedToken = '/var/run/secrets/azure/tokens/azure-identity-token';

const guid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const domain = /^([a-z0-9]([a-z0-9-]*[a-z0-9])?\.)+[a-z]{2,}$/i;
const example = '72f988bf-86f1-41af-91ab-2d7cd011db47';

const tenantId = credential('tenant_id').refine(
  (value) => guid.test(value) || domain.test(value),
  `tenant_id must be the directory’s GUID, such as ${example}, or one of its domains`,
);

const clientId = credential('client_id').regex(
  guid,
  `client_id must be the application’s (client) id, a GUID such as ${example}; its name or object id is another thing`,
);

const application = { tenant_id: tenantId, client_id: clientId };

const clientSecret = z.strictObject({
  method: z.literal('client_secret'),
  ...application,
  client_secret: credential('client_secret'),
});

const certificate = z
  .strictObject({
    method: z.literal('certificate'),
    ...application,
    certificate: pem('certificate', 'CERTIFICATE').describe('With the private key in the same text, or without it.'),
    private_key: pem('private_key', 'PRIVATE KEY').optional(),
    send_chain: z
      .boolean('send_chain must be true or false')
      .describe('Sends the certificates themselves, for applications that trust a subject name and issuer.')
      .default(false),
  })
  .superRefine(({ certificate, private_key: key }, issues) => {
    const refuse = (field: 'certificate' | 'private_key', message: string) =>
      issues.addIssue({ code: 'custom', path: [field], message: `${field} ${message}` });
    const problem = certificateProblem(certificate);
    if (problem !== null) return refuse('certificate', problem);
    if (new X509Certificate(certificate).publicKey.asymmetricKeyType !== 'rsa')
      return refuse('certificate', 'must have an RSA key; the directory takes no other');
    if (key === undefined && !/-----BEGIN [A-Z ]*PRIVATE KEY-----/.test(certificate))
      return refuse('private_key', 'is missing: give it here, or in the same text as certificate');
    const keyProblem = privateKeyProblem(key ?? certificate, certificate);
    if (keyProblem !== null) refuse(key === undefined ? 'certificate' : 'private_key', keyProblem);
  });

const workloadIdentity = z.strictObject({
  method: z.literal('workload_identity'),
  ...application,
  token: credential('token')
    .regex(/^[\w-]+\.[\w-]+\.[\w-]+$/, 'token must be a JSON web token')
    .optional(),
  token_file: text('token_file')
    .describe('A file that the operator allows to be read; it is read again at each login.')
    .default(projectedToken),
});

const managedIdentity = z
  .strictObject({
    method: z.literal('managed_identity'),
    client_id: clientId.optional(),
    object_id: credential('object_id').regex(guid, `object_id must be a GUID such as ${example}`).optional(),
    resource_id: credential('resource_id')
      .regex(/^\/subscriptions\/\S+$/, 'resource_id must be an id of Azure Resource Manager: /subscriptions/…')
      .optional(),
  })
  .superRefine(({ client_id, object_id, resource_id }, issues) => {
    const named = Object.entries({ client_id, object_id, resource_id }).filter(([, value]) => value !== undefined);
    for (const [name] of named.slice(1))
      issues.addIssue({
        code: 'custom',
        path: [name],
        message: `${name} names the identity a second time: give client_id, object_id or resource_id`,
      });
  });

export const authSchema = z.discriminatedUnion(
  'method',
  [clientSecret, certificate, workloadIdentity, managedIdentity, z.strictObject({ method: z.literal('default') })],
  'method must be one of client_secret, certificate, workload_identity, managed_identity, default',
);

export type AzureAuth = z.output<typeof authSchema>;
