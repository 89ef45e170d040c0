/** What may be done with the paths that a policy names. `admin` is all of the others. */
export const pathPermissions = ['read', 'write', 'delete', 'list', 'rotate', 'revoke', 'admin'] as const;

export type PathPermission = (typeof pathPermissions)[number];

/**
 * What may be done with a tenant as a whole. federation:read shows backends, cycles and the records of all keys, without
 * values; federation:write starts and decides on cycles; jobs:replay replays what failed; settings changes who and what
 * there is; audit:read shows the audit log.
 */
export const scopes = ['federation:read', 'federation:write', 'jobs:replay', 'settings', 'audit:read'] as const;

export type Scope = (typeof scopes)[number];
