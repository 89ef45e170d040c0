import { z } from 'zod';

/** Settings that say how a vault is spoken to, whatever its kind. They stand beside the vault's own. */
export const connectionFields = {
  credentials_path: z
    .string('must be text')
    .min(1, 'must not be empty')
    .describe(
      'Where the members of auth are kept: a key of this tenant by its path, env.<VAR>, or an absolute file, the latter two where the operator allows them.',
    )
    .optional(),
  auth_config_path: z
    .string('must be text')
    .min(1, 'must not be empty')
    .describe('The same as credentials_path.')
    .optional(),
  calls_per_second: z
    .int('must be a whole number')
    .min(1, 'must be at least 1')
    .max(100_000, 'must be at most 100000')
    .describe('Most calls a second to the vault, by all processes together, in place of its published limits.')
    .optional(),
  parallelism: z
    .int('must be a whole number')
    .min(1, 'must be at least 1')
    .max(256, 'must be at most 256')
    .describe('Most calls at a time of one process.')
    .optional(),
};

export const connectionSettings = z
  .strictObject(connectionFields)
  .refine((settings) => settings.credentials_path === undefined || settings.auth_config_path === undefined, {
    path: ['auth_config_path'],
    message: 'means the same as credentials_path, give one of them',
  })
  .transform(({ auth_config_path, credentials_path, ...rest }) => {
    const path = credentials_path ?? auth_config_path;
    return { ...rest, ...(path !== undefined && { credentials_path: path }) };
  });
export type ConnectionSettings = z.output<typeof connectionSettings>;
