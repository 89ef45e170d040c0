import { z } from 'zod';
import { address, allowHttp, isUnencrypted, pem, text, unencrypted } from '../common/config-fields.ts';
import { certificateProblem } from '../common/pem.ts';
import { authSchema, isPem, mountPath } from './auth-config.ts';

export const configSchema = z
  .strictObject({
    address: address('address', 'https://vault.example.com:8200'),
    namespace: mountPath('namespace')
      .regex(/^[ -~]*$/, 'namespace must be of ASCII characters')
      .optional(),
    mount: mountPath('mount').default('secret'),
    kv_version: z.union([z.literal(1), z.literal(2)], 'kv_version must be 1 or 2, or left out').optional(),
    allow_http: allowHttp,
    tls: z
      .strictObject({
        ca_cert: pem('ca_cert', 'CERTIFICATE').optional(),
        server_name: text('server_name')
          .regex(/^[\x21-\x7e]*$/, 'server_name must be a host name')
          .optional(),
      })
      .optional(),
    auth: authSchema,
  })
  .superRefine((config, issues) => {
    if (!config.allow_http && isUnencrypted(config.address))
      issues.addIssue({ code: 'custom', path: ['address'], message: unencrypted('address') });
    const authority = config.tls?.ca_cert ?? '';
    const problem = isPem(authority) ? certificateProblem(authority) : null;
    if (problem !== null) issues.addIssue({ code: 'custom', path: ['tls', 'ca_cert'], message: `ca_cert ${problem}` });
  });

export type HashicorpConfig = z.output<typeof configSchema>;
