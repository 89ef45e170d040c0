import {
  allMaySet,
  anchorAudit,
  appendTenantEvents,
  auditRetention,
  bindSubjects,
  createIdentity,
  createIssuer,
  createPolicy,
  createToken,
  destroyDataKeys,
  findToken,
  getIdentity,
  getIssuer,
  getPermittedKey,
  getPolicy,
  identitiesById,
  listAudit,
  listIdentities,
  listIssuers,
  listPolicies,
  listTokens,
  noteTokenUse,
  readAccess,
  readAudit,
  readPolicies,
  removeIdentity,
  removeIssuer,
  removePolicy,
  revokeToken,
  setAuditRetention,
  subjectNames,
  subjectOf,
  updateIdentity,
  updateIssuer,
  updatePolicy,
} from '@keyferry/store';
import type { Case, Try } from './case.ts';

/** Who may do what, and who did. */

const page = { limit: 100, after: null };
const ofTheirs = (g: Try) => ({ tenantId: g.tenantId, id: g.theirs.identity.id, now: g.now });
const policySettings = {
  name: 'new',
  path_glob: 'a/**',
  permissions: ['read' as const],
  ip_ranges: [],
  expires_at: null,
  bindings: [],
};
const issuerSettings = {
  name: 'new',
  kind: 'oidc' as const,
  issuer: 'https://example.com/new',
  audiences: ['keyferry'],
  algorithms: ['RS256'],
  jwks_url: null,
  jwks: null,
  ca_cert: null,
  mappings: [],
};
/** What is written under either tenant's name goes to mine, or nowhere. */
const nothingTold = async (work: Promise<unknown>) => void (await work);

export const casesOfAccess: Record<string, Case> = {
  allMaySet: ({ tx, theirs }) => allMaySet(tx, [{ identity_id: theirs.identity.id }]),
  anchorAudit: ({ tx, tenantId, now }) => anchorAudit(tx, tenantId, now, async () => {}),
  appendTenantEvents: ({ tx, tenantId, now }) =>
    nothingTold(appendTenantEvents(tx, tenantId, [{ type: 'audit.anchored', data: {} }], now)),
  auditRetention: ({ tx }) => auditRetention(tx),
  bindSubjects: ({ tx, theirs }) => bindSubjects(tx, [{ identity: theirs.identity.name }]),
  createIdentity: (g) => {
    const settings = { name: 'new', description: '', operator: false, scopes: [] };
    return nothingTold(createIdentity(g.tx, { tenantId: g.tenantId, settings, by: 'x', now: g.now }));
  },
  createIssuer: (g) =>
    nothingTold(createIssuer(g.tx, { tenantId: g.tenantId, settings: issuerSettings, by: 'x', now: g.now })),
  createPolicy: (g) =>
    nothingTold(createPolicy(g.tx, { tenantId: g.tenantId, settings: policySettings, by: 'x', now: g.now })),
  createToken: (g) => {
    const { tenantId, now, theirs } = g;
    return createToken(g.tx, { tenantId, identityId: theirs.identity.id, name: 'new', expiresAt: null, by: 'x', now });
  },
  destroyDataKeys: ({ tx, tenantId, theirs }) => (tenantId === theirs.tenantId ? destroyDataKeys(tx, tenantId) : null),
  findToken: ({ tx, theirs }) => findToken(tx, theirs.token.id),
  getIdentity: ({ tx, theirs }) => getIdentity(tx, theirs.identity.id),
  getIssuer: ({ tx, theirs }) => getIssuer(tx, theirs.issuer.name),
  getPermittedKey: ({ tx, theirs }) => getPermittedKey(tx, theirs.localPath, () => true),
  getPolicy: ({ tx, theirs }) => getPolicy(tx, theirs.policy.id),
  identitiesById: ({ tx, theirs }) => identitiesById(tx, [theirs.identity.id]),
  listAudit: ({ tx, theirs }) => listAudit(tx, { target: theirs.localPath }, { limit: 100 }),
  listIdentities: ({ tx }) => listIdentities(tx, { limit: 100 }),
  listIssuers: ({ tx }) => listIssuers(tx),
  listPolicies: ({ tx }) => listPolicies(tx, page),
  listTokens: ({ tx, theirs }) => listTokens(tx, theirs.identity.id, { limit: 100 }),
  noteTokenUse: ({ tx, theirs, now }) => noteTokenUse(tx, new Map([[theirs.token.id, now]])),
  readAccess: ({ tx, tenantId, theirs }) => (tenantId === theirs.tenantId ? readAccess(tx, tenantId) : null),
  readAudit: ({ tx, theirs }) => readAudit(tx, { target: theirs.localPath }, { limit: 100 }),
  readPolicies: ({ tx }) => readPolicies(tx),
  removeIdentity: ({ tx, tenantId, theirs, now }) => removeIdentity(tx, tenantId, theirs.identity.id, now),
  removeIssuer: ({ tx, tenantId, theirs, now }) => removeIssuer(tx, tenantId, theirs.issuer.id, now),
  removePolicy: ({ tx, tenantId, theirs }) => removePolicy(tx, tenantId, theirs.policy.id),
  revokeToken: ({ tx, tenantId, theirs, now }) =>
    revokeToken(tx, { tenantId, identityId: theirs.identity.id, idOrName: theirs.token.id, now }),
  setAuditRetention: ({ tx, tenantId }) => setAuditRetention(tx, tenantId, 86_400),
  subjectNames: ({ tx, theirs }) => subjectNames(tx, [{ bindings: [{ identity_id: theirs.identity.id }] }]),
  subjectOf: ({ tx, theirs }) => subjectOf(tx, { identity: theirs.identity.id }),
  updateIdentity: (g) => updateIdentity(g.tx, { ...ofTheirs(g), change: { description: 'changed' } }),
  updateIssuer: (g) => {
    const { tenantId, theirs, now } = g;
    return updateIssuer(g.tx, { tenantId, id: theirs.issuer.id, settings: { audiences: ['x'] }, now });
  },
  updatePolicy: (g) => {
    const { tenantId, theirs, now } = g;
    return updatePolicy(g.tx, { tenantId, id: theirs.policy.id, settings: { ip_ranges: [] }, now });
  },
};
