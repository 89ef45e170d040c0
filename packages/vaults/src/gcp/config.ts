import { z } from 'zod';
import { address, allowHttp, credential, isUnencrypted, pem, text, unencrypted } from '../common/config-fields.ts';
import { certificateProblem } from '../common/pem.ts';
import { filesOf, identitiesOf, problemOfDocument } from './credentials.ts';
import { isGoogle, isLocal } from './hosts.ts';

const project = /^([a-z0-9.-]+\.[a-z]+:)?[a-z][a-z0-9-]{4,28}[a-z0-9]$|^\d{1,19}$/;

const credentials = {
  credentials_json: credential('credentials_json').describe('The whole text of the file that Google gave.').optional(),
  credentials_file: text('credentials_file')
    .describe('A file that the operator allows to be read; it is read again at each login.')
    .optional(),
};

const auth = z
  .discriminatedUnion(
    'method',
    [
      z.strictObject({ method: z.literal('service_account'), ...credentials }),
      z.strictObject({ method: z.literal('workload_identity'), ...credentials }),
      z.strictObject({ method: z.literal('metadata_server') }),
      z.strictObject({ method: z.literal('default') }),
    ],
    'method must be one of service_account, workload_identity, metadata_server, default',
  )
  .superRefine((value, issues) => {
    if (value.method === 'metadata_server' || value.method === 'default') return;
    const { credentials_json: json, credentials_file: file } = value;
    if ((json === undefined) !== (file === undefined)) return;
    issues.addIssue({
      code: 'custom',
      path: [json === undefined ? 'credentials_json' : 'credentials_file'],
      message: 'give credentials_json or credentials_file, one of them',
    });
  });

const endpoint = address('endpoint', 'https://secretmanager.googleapis.com').refine(
  (url) => !URL.canParse(url) || new URL(url).pathname === '/',
  'endpoint must be an address without a path',
);

export const configSchema = z
  .strictObject({
    project_id: z
      .string('project_id is required: the project that holds the secrets')
      .regex(project, 'project_id must be the id or the number of a project, such as my-project-123'),
    location: text('location')
      .regex(/^[a-z]+-[a-z]+\d{1,2}$/, 'location must be a region, such as europe-west3')
      .describe('For regional secrets. Left out: the global ones.')
      .optional(),
    endpoint: endpoint.describe('Left out: Google’s own, of the location if there is one.').optional(),
    allow_http: allowHttp,
    tls: z.strictObject({ ca_cert: pem('ca_cert', 'CERTIFICATE').optional() }).optional(),
    separator: z
      .string('separator must be text')
      .regex(/^[A-Za-z0-9_-]{0,16}$/, 'separator must be of letters, digits, - and _, at most 16 of them')
      .describe('What stands for a slash in the names of secrets. Empty: names are paths.')
      .default('--'),
    auth,
  })
  .superRefine((config, issues) => {
    const refuse = (path: string[], message: string) => issues.addIssue({ code: 'custom', path, message });
    const { endpoint: url, auth: login } = config;
    if (url !== undefined && !config.allow_http && isUnencrypted(url)) refuse(['endpoint'], unencrypted('endpoint'));
    const operators = filesOf(login).length > 0 || identitiesOf(login).length > 0;
    if (url !== undefined && operators && !isGoogle(url) && !isLocal(url))
      refuse(['endpoint'], 'endpoint must be Google’s for credentials that are the operator’s: leave it out');
    const certificate = config.tls?.ca_cert;
    if (certificate !== undefined && certificateProblem(certificate) !== null)
      refuse(['tls', 'ca_cert'], `ca_cert ${certificateProblem(certificate)}`);
    const problem = problemOfDocument(login, url);
    if (problem !== null) refuse(['auth', 'credentials_json'], `credentials_json ${problem}`);
  });

export type GcpConfig = z.output<typeof configSchema>;
export type GcpAuth = GcpConfig['auth'];
