import { crc32 } from 'node:zlib';
import { type Format, format } from './format.ts';

/** Hosts of code and of packages. */
export const codeFormats: readonly Format[] = [
  // github.blog, "Behind GitHub's new authentication token formats" (2021): 30 characters and a checksum; tokens may
  // become longer. Fine-grained ones: docs.github.com, about authentication.
  format({
    name: 'github_personal_access_token',
    label: 'a GitHub personal access token',
    provider: 'github',
    prefixes: ['ghp_', 'github_pat_'],
    pattern: /^(?:ghp_[A-Za-z0-9]{36,251}|github_pat_\w{60,244})$/,
    verify: hasGitHubChecksum,
  }),
  format({
    name: 'github_oauth_token',
    label: 'a GitHub OAuth token',
    provider: 'github',
    prefixes: ['gho_'],
    pattern: /^gho_[A-Za-z0-9]{36,251}$/,
    verify: hasGitHubChecksum,
  }),
  // Since 2026 these may hold a JWT of some 500 characters (GitHub's changelog asks for no stricter pattern).
  format({
    name: 'github_app_token',
    label: 'a GitHub App token',
    provider: 'github',
    prefixes: ['ghs_', 'ghu_'],
    pattern: /^gh[su]_[\w.-]{36,4000}$/,
  }),
  format({
    name: 'github_refresh_token',
    label: 'a GitHub refresh token',
    provider: 'github',
    prefixes: ['ghr_'],
    pattern: /^ghr_[\w.-]{36,4000}$/,
  }),
  // docs.gitlab.com/security/tokens: 20 characters and more, with dots in routable ones.
  format({
    name: 'gitlab_token',
    label: 'a GitLab token',
    provider: 'gitlab',
    prefixes: ['pat', 'dt', 'ptt', 'rt', 'cbt', 'ft', 'imt', 'agent', 'oas', 'soat', 'ffct'].map(
      (kind) => `gl${kind}-`,
    ),
    pattern: /^gl(?:pat|dt|ptt|rt|cbt|ft|imt|agent|oas|soat|ffct)-[\w.-]{20,400}$/,
  }),
  // github.blog, "Announcing npm's new access token format" (2021).
  format({
    name: 'npm_token',
    label: 'an npm token',
    provider: 'npm',
    prefixes: ['npm_'],
    pattern: /^npm_[A-Za-z0-9]{36,128}$/,
  }),
  // A macaroon in base64, which begins with the same bytes in every token.
  format({
    name: 'pypi_token',
    label: 'a PyPI token',
    provider: 'pypi',
    prefixes: ['pypi-AgE'],
    pattern: /^pypi-AgE[\w-]{50,2000}$/,
  }),
];

const digits = '0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz';

/**
 * The last six characters of a classic token are the CRC-32 of what is between prefix and them, in base 62. Tokens of
 * other lengths pass: how theirs is made isn't published.
 */
function hasGitHubChecksum(token: string): boolean {
  if (token.length !== 40) return true;
  let rest = crc32(token.slice(4, 34));
  let checksum = '';
  for (let place = 0; place < 6; place += 1) {
    checksum = digits[rest % 62] + checksum;
    rest = Math.floor(rest / 62);
  }
  return token.endsWith(checksum);
}
