import { X509Certificate } from 'node:crypto';
import { type Format, format } from './format.ts';

/** Forms that are standards of their own. PEM is RFC 7468; what stands beside the blocks doesn't matter. */
export const keyFormats: readonly Format[] = [
  format({
    name: 'x509_certificate',
    label: 'a certificate',
    provider: null,
    type: 'certificate',
    prefixes: ['-----BEGIN CERTIFICATE-----'],
    pattern: /-----BEGIN CERTIFICATE-----/,
    verify: isCertificate,
  }),
  format({
    name: 'ssh_private_key',
    label: 'an SSH private key',
    provider: null,
    type: 'ssh_key',
    prefixes: ['OPENSSH', 'RSA', 'EC', 'DSA'].map((kind) => `-----BEGIN ${kind} PRIVATE KEY-----`),
    pattern: /^-----BEGIN (OPENSSH|RSA|EC|DSA) PRIVATE KEY-----[\s\S]+-----END \1 PRIVATE KEY-----/,
  }),
  format({
    name: 'pkcs8_private_key',
    label: 'a private key',
    provider: null,
    type: 'opaque',
    prefixes: ['-----BEGIN PRIVATE KEY-----', '-----BEGIN ENCRYPTED PRIVATE KEY-----'],
    pattern: /^-----BEGIN (ENCRYPTED )?PRIVATE KEY-----[\s\S]+-----END \1PRIVATE KEY-----/,
  }),
  // RFC 4253 and authorized_keys: kind, base64, comment.
  format({
    name: 'ssh_public_key',
    label: 'an SSH public key',
    provider: null,
    type: 'ssh_key',
    otherPrefixes: ['ssh-rsa ', 'ssh-ed25519 ', 'ecdsa-sha2-'],
    pattern: /^(?:ssh-rsa|ssh-ed25519|ecdsa-sha2-nistp\d+) AAAA[A-Za-z0-9+/]+={0,2}(?: [^\n]*)?\n?$/,
  }),
  // RFC 7519, signed; who gave it is inside.
  format({
    name: 'jwt',
    label: 'a JSON Web Token',
    provider: null,
    otherPrefixes: ['eyJ'],
    pattern: /^eyJ[\w-]{5,}\.eyJ[\w-]{5,}\.[\w-]*$/,
  }),
];

const certificate = /-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g;

/** Whether there are certificates in the text and all can be read. Dates are not looked at. */
export function isCertificate(text: string): boolean {
  const blocks = text.match(certificate) ?? [];
  if (blocks.length === 0 || blocks.length !== text.split('-----BEGIN CERTIFICATE-----').length - 1) return false;
  return blocks.every(canBeRead);
}

function canBeRead(block: string): boolean {
  try {
    new X509Certificate(block);
    return true;
  } catch {
    return false;
  }
}
