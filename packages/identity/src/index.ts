export type { Directory } from './directory.ts';
export { type EnvironmentTokens, environmentAuthenticator } from './environment-tokens.ts';
export { type Asked, type Authenticator, forbiddenPath, forbiddenScope, type Identity, mayOn } from './identity.ts';
export { type Identities, openIdentities } from './open-identities.ts';
