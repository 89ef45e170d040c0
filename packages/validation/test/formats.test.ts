import { expect, test } from 'vitest';
import { formats, recognise } from '../src/index.ts';
import { fake } from './support.ts';

const a = (count: number) => 'A'.repeat(count);
const zeros = (count: number) => '0'.repeat(count);
const serviceAccount = JSON.stringify({ type: 'service_account', client_email: 'a@b', private_key: 'none' });

/** The CRC-32 of thirty "A", in base 62: worked out apart from this code. */
const checksumOfAs = '0uCPlr';

test.each([
  ['openai_api_key', fake.openai],
  ['openai_api_key', `sk-svcacct-${a(58)}T3BlbkFJ${a(58)}`],
  ['openai_api_key', `sk-admin-${a(74)}T3BlbkFJ${a(74)}`],
  ['openai_api_key', `sk-${a(20)}T3BlbkFJ${a(20)}`],
  ['anthropic_api_key', fake.anthropic],
  ['anthropic_admin_key', `sk-ant-admin01-${a(93)}AA`],
  ['anthropic_oauth_token', `sk-ant-oat01-${a(93)}AA`],
  ['groq_api_key', `gsk_${a(52)}`],
  ['xai_api_key', `xai-${a(80)}`],
  ['perplexity_api_key', `pplx-${a(48)}`],
  ['replicate_api_token', `r8_${a(37)}`],
  ['openrouter_api_key', fake.openrouter],
  ['huggingface_token', `hf_${a(34)}`],
  ['bifrost_virtual_key', fake.bifrost],
  ['aws_access_key_id', `AKIA${a(16)}`],
  ['aws_access_key_id', `ASIA${a(16)}`],
  ['aws_bedrock_api_key', `ABSK${a(120)}=`],
  ['google_api_key', fake.google],
  ['google_api_key', `AQ.${a(50)}`],
  ['google_oauth_client_secret', `GOCSPX-${a(28)}`],
  ['google_service_account', serviceAccount],
  ['databricks_token', `dapi${zeros(32)}-2`],
  ['digitalocean_token', `dop_v1_${zeros(64)}`],
  ['hashicorp_vault_token', `hvs.${a(95)}`],
  ['doppler_token', `dp.pt.${a(43)}`],
  ['doppler_token', `dp.st.production.${a(43)}`],
  ['github_personal_access_token', `ghp_${a(30)}${checksumOfAs}`],
  ['github_personal_access_token', `github_pat_${a(22)}_${a(59)}`],
  ['github_oauth_token', `gho_${a(30)}${checksumOfAs}`],
  ['github_app_token', `ghs_${a(36)}`],
  ['github_app_token', `ghs_12345_${a(100)}.${a(200)}.${a(100)}`],
  ['github_refresh_token', `ghr_${a(76)}`],
  ['gitlab_token', `glpat-${a(20)}`],
  ['gitlab_token', `glpat-${a(27)}.01.${a(9)}`],
  ['npm_token', `npm_${a(36)}`],
  ['pypi_token', `pypi-AgEIcHlwaS5vcmc${a(80)}`],
  ['stripe_secret_key', `sk_live_${a(24)}`],
  ['stripe_secret_key', `rk_test_${a(99)}`],
  ['stripe_publishable_key', `pk_live_${a(24)}`],
  ['webhook_signing_secret', `whsec_${a(32)}`],
  ['slack_token', `xoxb-${zeros(12)}-${zeros(12)}-${a(24)}`],
  ['slack_token', `xapp-1-${a(11)}-${zeros(13)}-${a(64)}`],
  ['slack_webhook_url', `https://hooks.slack.com/services/T${zeros(8)}/B${zeros(8)}/${a(24)}`],
  ['twilio_api_key', `SK${zeros(32)}`],
  ['sendgrid_api_key', `SG.${a(22)}.${a(43)}`],
  ['mailgun_api_key', `key-${zeros(32)}`],
  ['shopify_token', `shpat_${zeros(32)}`],
  ['square_token', `sq0atp-${a(22)}`],
  ['square_token', `EAAA${a(60)}`],
  ['telegram_bot_token', `1${zeros(8)}:A${a(34)}`],
  ['discord_bot_token', `M${a(25)}.${a(6)}.${a(38)}`],
  ['linear_api_key', `lin_api_${a(40)}`],
  ['notion_token', `ntn_${zeros(11)}${a(35)}`],
  ['notion_token', `secret_${a(43)}`],
  ['ssh_private_key', `-----BEGIN OPENSSH PRIVATE KEY-----\n${a(70)}\n-----END OPENSSH PRIVATE KEY-----\n`],
  ['pkcs8_private_key', `-----BEGIN PRIVATE KEY-----\n${a(70)}\n-----END PRIVATE KEY-----`],
  ['pkcs8_private_key', `-----BEGIN ENCRYPTED PRIVATE KEY-----\n${a(70)}\n-----END ENCRYPTED PRIVATE KEY-----`],
  ['ssh_public_key', `ssh-ed25519 AAAA${a(60)} someone@somewhere\n`],
  ['jwt', `eyJ${a(20)}.eyJ${a(20)}.${a(43)}`],
])('%s is recognised', (name, text) => {
  expect(recognise(text)?.name).toBe(name);
});

test.each([
  ['an empty text', ''],
  ['a plain password', 'correct horse battery staple'],
  ['a key that begins as many do', `sk-${a(32)}`],
  ['a key with something before it', `key=${fake.openai}`],
  ['a key with a newline after it', `${fake.openai}\n`],
  ['a key that was cut off', fake.anthropic.slice(0, 40)],
  ['a JSON object of another kind', '{"type":"authorized_user"}'],
  ['a GitHub token with another checksum', `ghp_${a(36)}`],
  ['a private key that lacks its end', '-----BEGIN RSA PRIVATE KEY-----\nAAAA'],
  ['a private key that ends as another kind', '-----BEGIN RSA PRIVATE KEY-----\nA\n-----END EC PRIVATE KEY-----'],
  ['40 characters of base64, which may be anything', a(40)],
  ['a text of more than 16 KiB', `sk-bf-${a(20_000)}`],
])('%s is not recognised', (_, text) => {
  expect(recognise(text)).toBeNull();
});

test('every format has a name of its own', () => {
  const names = formats.map(({ name }) => name);
  expect(new Set(names).size).toBe(names.length);
});

test('no beginning that is said to be distinctive is one of another provider as well', () => {
  for (const one of formats)
    for (const other of formats.filter(({ provider }) => provider !== one.provider))
      for (const prefix of one.prefixes)
        expect(
          other.prefixes.filter((beginning) => beginning.startsWith(prefix) || prefix.startsWith(beginning)),
        ).toEqual([]);
});

test('no pattern of the catalogue keeps its state between texts or becomes slow on long ones', () => {
  for (const { pattern, prefixes, otherPrefixes } of formats) {
    expect(pattern.flags).toBe('');
    for (const prefix of [...prefixes, ...otherPrefixes, ''])
      for (const filling of ['A', '0', '-', '.', 'eyJ', ' ', '-----BEGIN CERTIFICATE-----', '-----END '])
        pattern.test(`${prefix}${filling.repeat(16_384 / filling.length)}!`);
  }
});
