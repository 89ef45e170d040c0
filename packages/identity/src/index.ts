export { type EnvironmentTokens, environmentAuthenticator } from './environment-tokens.ts';
export { type Authenticator, forbiddenPath, forbiddenScope, type Identity, mayOn } from './identity.ts';
