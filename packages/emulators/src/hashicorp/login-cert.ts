import { X509Certificate } from 'node:crypto';
import { failure } from './answer.ts';
import type { AuthMount, CertRole } from './auth-roles.ts';
import type { LoginOutcome } from './login.ts';
import type { VaultRequest } from './request.ts';

type CertMount = Extract<AuthMount, { type: 'cert' }>;

/** A login by the certificate that the client has shown when it connected. */
export function certLogin(
  mount: CertMount,
  { body, encrypted, peerCertificate }: VaultRequest,
  now: number,
): LoginOutcome {
  if (!encrypted) return failure(400, 'tls connection required');
  const shown = peerCertificate();
  if (shown === undefined) return failure(400, 'client certificate must be supplied');
  const name = typeof body.name === 'string' ? body.name : '';
  const roles = [...mount.roles].filter(([role]) => name === '' || role === name);
  const trusting = isCurrent(shown, now) ? roles.filter(([, role]) => trusts(role, shown)) : [];
  if (trusting.length === 0) return failure(400, 'invalid certificate or no client certificate supplied');
  const found = trusting.find(([, role]) => isAllowed(role, commonNameOf(shown)));
  if (found === undefined)
    return failure(400, 'no chain matching all constraints could be found for this login certificate');
  const metadata = { cert_name: found[0], common_name: commonNameOf(shown), serial_number: shown.serialNumber };
  return { role: found[1], metadata };
}

function isCurrent({ validFromDate, validToDate }: X509Certificate, now: number): boolean {
  return validFromDate.getTime() <= now && now <= validToDate.getTime();
}

function trusts({ certificate }: CertRole, shown: X509Certificate): boolean {
  const trusted = new X509Certificate(certificate);
  if (!trusted.ca) return trusted.raw.equals(shown.raw);
  return shown.checkIssued(trusted) && shown.verify(trusted.publicKey);
}

function commonNameOf({ subject }: X509Certificate): string {
  return /^CN=(.*)$/m.exec(subject)?.[1] ?? '';
}

function isAllowed({ allowedCommonNames = [] }: CertRole, name: string): boolean {
  if (allowedCommonNames.length === 0) return true;
  return allowedCommonNames.some((allowed) =>
    allowed.endsWith('*') ? name.startsWith(allowed.slice(0, -1)) : allowed === name,
  );
}
