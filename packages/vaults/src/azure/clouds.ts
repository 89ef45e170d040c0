/** The clouds that Key Vault is in, by the domain of their vaults: that is also whom its tokens are for. */
const clouds = [
  { domain: 'vault.azure.net', authority: 'https://login.microsoftonline.com' },
  { domain: 'vault.azure.cn', authority: 'https://login.partner.microsoftonline.cn' },
  { domain: 'vault.usgovcloudapi.net', authority: 'https://login.microsoftonline.us' },
] as const;

type Cloud = (typeof clouds)[number];

/** Null for a host of no cloud, such as an emulator. */
export function cloudOf(host: string): Cloud | null {
  return clouds.find(({ domain }) => host.endsWith(`.${domain}`)) ?? null;
}

/** Managed HSMs hold keys alone. */
export function isManagedHsm(host: string): boolean {
  return /\.managedhsm\.(azure\.net|azure\.cn|usgovcloudapi\.net)$/.test(host);
}

/** Where a vault's tokens come from, unless the settings name another place. */
export function authorityOf(vaultUrl: string, given: string | undefined): string {
  return new URL(given ?? cloudOf(new URL(vaultUrl).hostname)?.authority ?? clouds[0].authority).origin;
}

/** Whether logins there are Microsoft's own, of whatever cloud or region. */
export function isMicrosoftAuthority(origin: string): boolean {
  const names =
    'microsoftonline\\.(com|us)|partner\\.microsoftonline\\.cn|chinacloudapi\\.cn|windows\\.net|microsoft\\.com';
  return new RegExp(`^https://([a-z0-9-]+\\.)?login\\.(${names})$`).test(origin);
}
