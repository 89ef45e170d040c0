import { type Format, format } from './format.ts';

/** Payments, messages and other services. Where no source is named, GitHub secret scanning and gitleaks agree. */
export const serviceFormats: readonly Format[] = [
  // docs.stripe.com/keys: at most 255 characters. Others (Clerk, Paystack) begin theirs in the same way.
  format({
    name: 'stripe_secret_key',
    label: 'a Stripe secret key',
    provider: 'stripe',
    prefixes: ['sk_live_', 'rk_live_', 'rk_test_'],
    otherPrefixes: ['sk_test_'],
    pattern: /^[sr]k_(?:live|test)_[A-Za-z0-9]{10,247}$/,
  }),
  format({
    name: 'stripe_publishable_key',
    label: 'a Stripe publishable key',
    provider: 'stripe',
    otherPrefixes: ['pk_live_', 'pk_test_'],
    pattern: /^pk_(?:live|test)_[A-Za-z0-9]{10,247}$/,
  }),
  // Stripe's, and by the Standard Webhooks specification everybody's.
  format({
    name: 'webhook_signing_secret',
    label: 'a webhook signing secret',
    provider: null,
    otherPrefixes: ['whsec_'],
    pattern: /^whsec_[A-Za-z0-9+/_-]{20,120}={0,2}$/,
  }),
  // api.slack.com/authentication/token-types.
  format({
    name: 'slack_token',
    label: 'a Slack token',
    provider: 'slack',
    prefixes: ['xoxa-', 'xoxb-', 'xoxe-', 'xoxe.', 'xoxo-', 'xoxp-', 'xoxr-', 'xoxs-', 'xapp-'],
    pattern: /^(?:xox[abeoprs][.-]|xapp-)[\w.-]{10,400}$/,
  }),
  format({
    name: 'slack_webhook_url',
    label: 'a Slack webhook URL',
    provider: 'slack',
    prefixes: ['https://hooks.slack.com/'],
    pattern: /^https:\/\/hooks\.slack\.com\/[\w/-]{20,200}$/,
  }),
  format({
    name: 'twilio_api_key',
    label: 'a Twilio API key SID',
    provider: 'twilio',
    otherPrefixes: ['SK'],
    pattern: /^SK[0-9a-fA-F]{32}$/,
  }),
  format({
    name: 'sendgrid_api_key',
    label: 'a SendGrid API key',
    provider: 'sendgrid',
    prefixes: ['SG.'],
    pattern: /^SG\.[\w-]{16,32}\.[\w-]{32,64}$/,
  }),
  // The prefix is an ordinary word.
  format({
    name: 'mailgun_api_key',
    label: 'a Mailgun API key',
    provider: 'mailgun',
    otherPrefixes: ['key-'],
    pattern: /^key-[0-9a-f]{32}$/,
  }),
  format({
    name: 'shopify_token',
    label: 'a Shopify token',
    provider: 'shopify',
    prefixes: ['shpat_', 'shpca_', 'shppa_', 'shpss_'],
    pattern: /^shp(?:at|ca|pa|ss)_[A-Za-z0-9]{32,64}$/,
  }),
  format({
    name: 'square_token',
    label: 'a Square token',
    provider: 'square',
    prefixes: ['sq0atp-', 'sq0csp-', 'sq0idp-'],
    otherPrefixes: ['EAAA'],
    pattern: /^(?:sq0(?:atp|csp|idp)-[\w-]{22,60}|EAAA[\w-]{50,80})$/,
  }),
  // core.telegram.org/bots: the bot's number, a colon and 35 characters.
  format({
    name: 'telegram_bot_token',
    label: 'a Telegram bot token',
    provider: 'telegram',
    otherPrefixes: ['1', '2', '3', '4', '5', '6', '7', '8', '9'],
    pattern: /^[1-9]\d{5,15}:A[\w-]{34}$/,
  }),
  // discord.com/developers: the bot's number in base64, a time, a signature.
  format({
    name: 'discord_bot_token',
    label: 'a Discord bot token',
    provider: 'discord',
    otherPrefixes: ['M', 'N', 'O'],
    pattern: /^[MNO][\w-]{23,27}\.[\w-]{6}\.[\w-]{27,45}$/,
  }),
  format({
    name: 'linear_api_key',
    label: 'a Linear API key',
    provider: 'linear',
    prefixes: ['lin_api_', 'lin_oauth_'],
    pattern: /^lin_(?:api|oauth)_\w{32,128}$/,
  }),
  // Notion says that the length may change. `secret_` was the prefix until 2024.
  format({
    name: 'notion_token',
    label: 'a Notion token',
    provider: 'notion',
    prefixes: ['ntn_'],
    otherPrefixes: ['secret_'],
    pattern: /^(?:ntn_[A-Za-z0-9]{36,80}|secret_[A-Za-z0-9]{43})$/,
  }),
];
