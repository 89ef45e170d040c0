/** What kind of secret a value is, by the vault's tag or by a recognised form. */
export const keyTypes = ['api_key', 'virtual_key', 'json', 'certificate', 'ssh_key', 'opaque'] as const;
export type KeyType = (typeof keyTypes)[number];
