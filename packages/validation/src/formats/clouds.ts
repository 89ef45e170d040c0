import { isObject, parseJson } from '@keyferry/core';
import { type Format, format } from './format.ts';

/** Clouds, and what runs on them. */
export const cloudFormats: readonly Format[] = [
  // AWS IAM reference, unique identifiers: AKIA lasts, ASIA is temporary; documented as 16 to 128 characters.
  format({
    name: 'aws_access_key_id',
    label: 'an AWS access key id',
    provider: 'aws',
    prefixes: ['AKIA', 'ASIA'],
    pattern: /^A[KS]IA[A-Z0-9]{12,124}$/,
  }),
  // Nothing tells it from other base64: only where a rule asks for it.
  format({
    name: 'aws_secret_access_key',
    label: 'an AWS secret access key',
    provider: 'aws',
    pattern: /^[A-Za-z0-9/+]{40}$/,
  }),
  format({
    name: 'aws_bedrock_api_key',
    label: 'an Amazon Bedrock API key',
    provider: 'aws',
    otherPrefixes: ['ABSK', 'bedrock-api-key-'],
    pattern: /^(?:ABSK|bedrock-api-key-)[A-Za-z0-9+/]{60,4000}={0,2}$/,
  }),
  // 35 characters (GitHub secret scanning, gitleaks). AQ. are the keys bound to a service account that follow them
  // (ai.google.dev/gemini-api/docs/api-key, 2026); no length is published.
  format({
    name: 'google_api_key',
    label: 'a Google API key',
    provider: 'google',
    prefixes: ['AIza'],
    otherPrefixes: ['AQ.'],
    pattern: /^(?:AIza[\w-]{35}|AQ\.[\w-]{20,400})$/,
  }),
  format({
    name: 'google_oauth_client_secret',
    label: 'a Google OAuth client secret',
    provider: 'google',
    prefixes: ['GOCSPX-'],
    pattern: /^GOCSPX-[\w-]{20,40}$/,
  }),
  // cloud.google.com/iam/docs/keys-create-delete: the JSON file of a service account's key.
  format({
    name: 'google_service_account',
    label: 'a Google service account key',
    provider: 'google',
    type: 'json',
    otherPrefixes: ['{'],
    pattern: /"service_account"/,
    verify: isServiceAccount,
  }),
  // Nothing but base64 and the mark of Microsoft Entra in the middle: only where a rule asks for them.
  format({
    name: 'azure_storage_key',
    label: 'an Azure Storage account key',
    provider: 'azure',
    pattern: /^[A-Za-z0-9+/]{86}==$/,
  }),
  format({
    name: 'azure_client_secret',
    label: 'a Microsoft Entra client secret',
    provider: 'azure',
    pattern: /^[\w.~-]{3}\dQ~[\w.~-]{31,34}$/,
  }),
  // gitleaks: 32 hexadecimal digits, and at times the number of a copy.
  format({
    name: 'databricks_token',
    label: 'a Databricks token',
    provider: 'databricks',
    otherPrefixes: ['dapi'],
    pattern: /^dapi[0-9a-fA-F]{32}(?:-\d{1,2})?$/,
  }),
  format({
    name: 'digitalocean_token',
    label: 'a DigitalOcean token',
    provider: 'digitalocean',
    prefixes: ['dop_v1_', 'doo_v1_', 'dor_v1_'],
    pattern: /^do[opr]_v1_[0-9a-fA-F]{64}$/,
  }),
  // developer.hashicorp.com/vault/docs/concepts/tokens: service, batch and recovery tokens, of varying length.
  format({
    name: 'hashicorp_vault_token',
    label: 'a HashiCorp Vault token',
    provider: 'hashicorp',
    prefixes: ['hvs.', 'hvb.', 'hvr.'],
    pattern: /^hv[sbr]\.[\w.-]{20,2000}$/,
  }),
  // docs.doppler.com: personal, service, service account, CLI, SCIM and audit tokens; some have a name in them.
  format({
    name: 'doppler_token',
    label: 'a Doppler token',
    provider: 'doppler',
    prefixes: ['dp.pt.', 'dp.st.', 'dp.sa.', 'dp.said.', 'dp.ct.', 'dp.scim.', 'dp.audit.'],
    pattern: /^dp\.(?:pt|st|sa|said|ct|scim|audit)\.[\w.-]{30,200}$/,
  }),
];

function isServiceAccount(text: string): boolean {
  const file = parseJson(text);
  return (
    isObject(file) &&
    file.type === 'service_account' &&
    typeof file.client_email === 'string' &&
    typeof file.private_key === 'string'
  );
}
