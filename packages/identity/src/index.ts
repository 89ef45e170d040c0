export type { Directory } from './directory.ts';
export { type EnvironmentTokens, environmentAuthenticator } from './environment-tokens.ts';
export {
  type Asked,
  type Authenticator,
  forbiddenAnywhere,
  forbiddenPath,
  forbiddenScope,
  type Identity,
  mayAnywhere,
  mayOn,
  noGrants,
} from './identity.ts';
export { RefusedAtRest } from './known-identity.ts';
export { type Identities, openIdentities } from './open-identities.ts';
